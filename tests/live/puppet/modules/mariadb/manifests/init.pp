# Debian's MariaDB with one database and its owner, who signs in over the network.
#
# @param database its name
# @param owner who owns it
# @param password the owner's; without one nobody can sign in yet
# @param mariadb_version what was ordered; Debian has one version, another does not compile
class mariadb (
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $database = 'app',
  Pattern[/\A[a-z][a-z0-9_]{0,62}\z/] $owner = $database,
  Optional[Variant[Sensitive[String[1]], String[1]]] $password = undef,
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

  if $password {
    file { '/etc/gatehouse/password':
      content   => Sensitive($password.unwrap),
      mode      => '0400',
      show_diff => false,
    }
    file { '/etc/gatehouse/database':
      source => 'puppet:///modules/mariadb/database',
      mode   => '0755',
    }
    exec { 'database with its owner':
      command => ['/etc/gatehouse/database', 'make', $database, $owner],
      unless  => [['/etc/gatehouse/database', 'answers', $database, $owner]],
      cwd     => '/',
      require => [Service['mariadb'], File['/etc/gatehouse/password'], File['/etc/gatehouse/database']],
    }
  }
}
