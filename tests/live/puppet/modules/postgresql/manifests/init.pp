# Debian's PostgreSQL with one database and its owner, who signs in over the network.
#
# @param database its name
# @param owner who owns it
# @param postgresql_version what was ordered; Debian has one version, another does not compile
class postgresql (
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $database = 'app',
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $owner = $database,
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

  base::database { 'postgresql':
    database => $database,
    owner    => $owner,
    user     => 'postgres',
    require  => Service['postgresql'],
  }
}
