# Debian's PostgreSQL with one database and its owner, who signs in over the network.
#
# @param database its name
# @param owner who owns it
# @param password the owner's; without one nobody can sign in yet
# @param postgresql_version what was ordered; Debian has one version, another does not compile
class postgresql (
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $database = 'app',
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $owner = $database,
  Optional[Variant[Sensitive[String[1]], String[1]]] $password = undef,
  Enum['15'] $postgresql_version = '15',
) {
  include base

  package { 'postgresql': ensure => installed }

  file { "/etc/postgresql/${postgresql_version}/main/conf.d/gatehouse.conf":
    content => "listen_addresses = '*'\n",
    require => Package['postgresql'],
    notify  => Service['postgresql'],
  }
  file { "/etc/postgresql/${postgresql_version}/main/pg_hba.conf":
    source  => 'puppet:///modules/postgresql/pg_hba.conf',
    owner   => 'postgres',
    group   => 'postgres',
    mode    => '0640',
    require => Package['postgresql'],
    notify  => Service['postgresql'],
  }
  service { 'postgresql':
    ensure    => running,
    enable    => true,
    hasstatus => true,
  }

  if $password {
    file { '/etc/gatehouse/password':
      content   => Sensitive($password.unwrap),
      owner     => 'postgres',
      mode      => '0400',
      show_diff => false,
      require   => Package['postgresql'],
    }
    file { '/etc/gatehouse/database':
      source => 'puppet:///modules/postgresql/database',
      mode   => '0755',
    }
    exec { 'database with its owner':
      command => ['/etc/gatehouse/database', 'make', $database, $owner],
      unless  => [['/etc/gatehouse/database', 'answers', $database, $owner]],
      user    => 'postgres',
      cwd     => '/',
      require => [Service['postgresql'], File['/etc/gatehouse/password'], File['/etc/gatehouse/database']],
    }
  }
}
