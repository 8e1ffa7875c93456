# Part of the scripts that run as packages come and go. Users' instances live in their own service managers, which
# nobody but their user can reach without being that user. Without systemd there is nothing to find here.
for_each_user() { # for_each_user SENTENCE COMMAND…: as each user whose manager runs; the sentence is told when it fails
  sentence=$1
  shift
  for socket in /run/user/*/systemd/private; do
    [ -S "$socket" ] || continue
    directory=${socket%/systemd/private}
    uid=${directory##*/}
    gid=$(id -g "$uid" 2>/dev/null) || continue
    timeout 30 setpriv --reuid "$uid" --regid "$gid" --clear-groups \
      env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR="$directory" DBUS_SESSION_BUS_ADDRESS="unix:path=$directory/bus" \
      "$@" || echo "coterie: $sentence (user id $uid)" >&2
  done
}
instances() { # instances COMMAND…: systemctl --user COMMAND…
  for_each_user "systemctl --user $* failed" systemctl --user --quiet "$@"
}
restart_instances() { # those that run, and daemons that failed with the version before
  for_each_user "the daemon did not start again; journalctl --user -u coterie says why" \
    sh -c 'if systemctl --user --quiet is-failed coterie.service; then verb=restart; else verb=try-restart; fi
      systemctl --user --quiet $verb coterie.service 2> /dev/null'
  instances try-restart coterie-tray.service
}
