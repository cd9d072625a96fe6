# Debian's Docker Engine, which takes orders over TLS at port 2376 from who has a certificate of the lab's authority.
class docker {
  include base

  # The lab's authority signs for the engine what the machine is called and where it is.
  $given = Sensitive(generate("${settings::confdir}/engine-certificate", $trusted['certname'], $facts['networking']['ip']))
  $parts = $given.unwrap.split("\n---\n")

  # The package starts the engine; it finds its configuration already there.
  package { ['docker.io', 'iptables']:
    ensure  => installed,
    require => File['/etc/docker/daemon.json', '/etc/default/docker'],
  }

  file { '/etc/docker':
    ensure => directory,
    mode   => '0700',
  }
  $files = { 'ca.pem' => $parts[0], 'cert.pem' => $parts[1], 'key.pem' => $parts[2] }
  $files.each |$name, $text| {
    file { "/etc/docker/${name}":
      content   => Sensitive("${text.strip}\n"),
      mode      => '0600',
      show_diff => false,
      notify    => Service['docker'],
    }
  }
  file { '/etc/docker/daemon.json':
    source => 'puppet:///modules/docker/daemon.json',
    notify => Service['docker'],
  }

  file { '/etc/default/docker':
    source => 'puppet:///modules/docker/default',
  }

  service { 'docker':
    ensure    => running,
    enable    => true,
    hasstatus => true,
    require   => Package['docker.io', 'iptables'],
  }

  # A run ends well when the engine answers.
  exec { 'docker version':
    path        => '/usr/bin',
    refreshonly => true,
    tries       => 60,
    try_sleep   => 1,
    subscribe   => Service['docker'],
  }
}
