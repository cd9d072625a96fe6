# What every machine of Gatehouse has.
class base {
  file { '/etc/motd':
    content => epp('base/motd.epp', { name => $trusted['certname'] }),
  }

  # Secrets of the roles, for root alone.
  file { '/etc/gatehouse':
    ensure => directory,
    mode   => '0711',
  }
}
