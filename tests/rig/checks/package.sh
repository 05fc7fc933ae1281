# The package of `make deb` on a machine that never had it: it is installed, the machine is
# restarted, and a USB keyboard is plugged in and heard without any command. Then the package is
# removed and purged, and installed from an apt repository.
plain_alsa; loopback
echo snd-aloop >/etc/modules-load.d/rig.conf
same "nothing of it is there" "$(command -v timbred)" ""
apt_get install $kit/timbred.deb
same "apt installs it" $? 0
lacks "without a warning" "$(cat /tmp/apt.log)" "arning"
same "its service is enabled" "$(systemctl is-enabled timbred)" enabled
within 20 "and started, and plays" plays
# --- the machine is started again ---
# From here to the sound nothing is typed: a keyboard is plugged in and played until it is heard.
arecord -q -D plughw:Loopback,1,0 -f S16_LE -r 48000 -c 1 -t raw /tmp/heard.raw 2>/dev/null &
recorder=$!
begun=$(now)
bash $kit/gadget.sh midi nord "Nord Piano" 0
for strike in $(seq 60); do
  amidi -p hw:nord,0 -S "90 3C 70"; sleep 0.5
  amidi -p hw:nord,0 -S "80 3C 00"
  [ "$(loudest /tmp/heard.raw)" -lt 300 ] || break
done
least "a USB keyboard that is plugged in is heard" "$(loudest /tmp/heard.raw)" 300
echo "$(since $begun) after it was plugged in, $(now) s after the machine was started"
kill $recorder; wait $recorder 2>/dev/null
same "by the service" "$(systemctl is-active timbred)" active
has "doctor finds no trouble" "$(timbred doctor; echo "exit code $?")" "exit code 0"
echo "# mine" >>/etc/timbred/config.toml
timbrectl record start evening >/dev/null
amidi -p hw:nord,0 -S "90 3C 70"; sleep 1; timbrectl record stop
timbrectl program 1 40; sleep 4
apt_get remove timbred
same "apt removes it" $? 0
same "it no longer runs" "$(pidof timbred)" ""
has "the configuration stays until it is purged" "$(cat /etc/timbred/config.toml)" "# mine"
apt_get purge timbred
same "apt purges it" $? 0
# The logs belong to the system.
same "and nothing is left but the folder of recordings" \
  "$(find / -xdev \( -path /share -o -path /var/log -o -path /tmp \) -prune -o \
    -iname '*timbre*' -print | sort | tr '\n' ' ')" "/var/lib/private/timbred /var/lib/timbred "
same "in which they are" "$(cd /var/lib/private/timbred; find . -type f | sort | tr '\n' ' ')" \
  "./recordings/evening.mid ./recordings/evening.wav "
lacks "systemd has forgotten it" \
  "$(systemctl list-unit-files --no-pager; systemctl --failed --no-pager)" timbred
cp $kit/repository/timbred-archive-keyring.gpg /usr/share/keyrings/
by="[signed-by=/usr/share/keyrings/timbred-archive-keyring.gpg]"
echo "deb $by file:$kit/repository stable main" >/etc/apt/sources.list.d/timbred.list
mv /etc/apt/sources.list /etc/apt/sources.list.off 2>/dev/null
apt_get update && apt_get install timbred
same "apt installs it out of a signed repository" $? 0
within 20 "and it plays" plays
