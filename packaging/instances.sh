# Part of the scripts that run as packages come and go. Users' instances live in their own service managers, which
# nobody but their user can reach without being that user. Without systemd there is nothing to find here.
instances() { # instances COMMAND…: systemctl --user COMMAND… for each user whose manager runs
  for socket in /run/user/*/systemd/private; do
    [ -S "$socket" ] || continue
    directory=${socket%/systemd/private}
    uid=${directory##*/}
    gid=$(id -g "$uid" 2>/dev/null) || continue
    timeout 30 setpriv --reuid "$uid" --regid "$gid" --clear-groups \
      env -i PATH=/usr/bin:/bin XDG_RUNTIME_DIR="$directory" DBUS_SESSION_BUS_ADDRESS="unix:path=$directory/bus" \
      systemctl --user --quiet "$@" || echo "coterie: systemctl --user $* failed for the user with id $uid" >&2
  done
}
