# Debian's Docker Engine, which takes orders over TLS at port 2376 from who has a certificate of the lab's authority.
class docker {
  include base

  # The lab's authority signs for the engine what the machine is called and where it is.
  $given = Sensitive(generate("${settings::confdir}/engine-certificate", $trusted['certname'], $facts['networking']['ip']))
  $parts = $given.unwrap.split("\n---\n")

  package { ['docker.io', 'iptables']: ensure => installed }

  file { '/etc/docker':
    ensure => directory,
    mode   => '0700',
  }
  { 'ca.pem' => $parts[0], 'cert.pem' => $parts[1], 'key.pem' => $parts[2] }.each |$name, $text| {
    file { "/etc/docker/${name}":
      content   => Sensitive("${text}\n"),
      mode      => '0600',
      show_diff => false,
      notify    => Service['docker'],
    }
  }
  file { '/etc/docker/daemon.json':
    source => 'puppet:///modules/docker/daemon.json',
    notify => Service['docker'],
  }

  service { 'docker':
    ensure    => running,
    enable    => true,
    hasstatus => true,
    require   => Package['docker.io', 'iptables'],
  }
}
