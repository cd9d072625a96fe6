# Debian's MariaDB with one database and its owner, who signs in over the network.
#
# @param database its name
# @param owner who owns it
# @param mariadb_version what was ordered; Debian has one version, another does not compile
class mariadb (
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $database = 'app',
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $owner = $database,
  Enum['10.11'] $mariadb_version = '10.11',
) {
  include base

  package { 'mariadb-server': ensure => installed }

  file { '/etc/mysql/mariadb.conf.d/90-gatehouse.cnf':
    content => "[mysqld]\nbind-address = 0.0.0.0\nskip-name-resolve\n",
    require => Package['mariadb-server'],
    notify  => Service['mariadb'],
  }
  service { 'mariadb':
    ensure    => running,
    enable    => true,
    hasstatus => true,
  }

  base::database { 'mariadb':
    database => $database,
    owner    => $owner,
    require  => Service['mariadb'],
  }
}
