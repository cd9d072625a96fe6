# One database with its owner, who signs in with the password among the node's secrets; without one nobody can sign in
# yet. The module's file `database` makes it, and says whether it answers.
#
# The title is the module's name.
#
# @param database its name
# @param owner who owns it
# @param user who makes it
define base::database (
  String[1] $database,
  String[1] $owner,
  String[1] $user = 'root',
) {
  # No parameter of a class: PuppetDB keeps those in clear.
  $password = getvar('gatehouse_secrets.password')

  if $password {
    file { '/etc/gatehouse/password':
      content   => Sensitive($password),
      owner     => $user,
      mode      => '0400',
      show_diff => false,
    }
    file { '/etc/gatehouse/database':
      source => "puppet:///modules/${title}/database",
      mode   => '0755',
    }
    exec { 'database with its owner':
      command => ['/etc/gatehouse/database', 'make', $database, $owner],
      unless  => [['/etc/gatehouse/database', 'answers', $database, $owner]],
      user    => $user,
      cwd     => '/',
      require => [File['/etc/gatehouse/password'], File['/etc/gatehouse/database']],
    }
  }
}
