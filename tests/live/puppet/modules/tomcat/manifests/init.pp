# Debian's Tomcat 10.1, with a page at / that says which machine answers.
#
# @param tomcat_version what was ordered; Debian has one version
# @param greeting shown on the page
# @param memory_mb how much Tomcat may use for its objects
class tomcat (
  Enum['10.1'] $tomcat_version = '10.1',
  String[1, 200] $greeting = 'Hello from',
  Integer[32, 65536] $memory_mb = 128,
) {
  include base

  package { 'tomcat10': ensure => installed }

  # Debian's package starts Tomcat by systemd alone.
  file { '/etc/init.d/tomcat10':
    source => 'puppet:///modules/tomcat/init',
    mode   => '0755',
  }

  file { '/etc/default/tomcat10':
    content => epp('tomcat/default.epp', { memory_mb => $memory_mb }),
    require => Package['tomcat10'],
    notify  => Service['tomcat10'],
  }

  # The page is compiled anew when it changes; Tomcat goes on.
  file { '/var/lib/tomcat10/webapps/ROOT/index.html':
    ensure  => absent,
    require => Package['tomcat10'],
  }
  file { '/var/lib/tomcat10/webapps/ROOT/index.jsp':
    content => epp('tomcat/index.jsp.epp', { name => $trusted['certname'], greeting => $greeting }),
    require => Package['tomcat10'],
  }

  service { 'tomcat10':
    ensure     => running,
    enable     => true,
    hasstatus  => true,
    hasrestart => true,
    require    => [File['/etc/init.d/tomcat10'], File['/var/lib/tomcat10/webapps/ROOT/index.jsp']],
  }
}
