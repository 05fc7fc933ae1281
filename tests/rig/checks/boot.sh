# The service after a start of the machine; then without a sound card, which appears later.
plain_alsa; loopback
install_service
within 10 "the service plays" plays
# --- the machine is started again ---
within 60 "after a restart of the machine it plays without a login" plays
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "it is heard" "$(peak 4)" 300
wait
systemctl stop timbred; modprobe -r snd_aloop; rm -f /etc/modules-load.d/rig.conf
same "there is no card" "$(ls -d /proc/asound/card[0-9]* 2>/dev/null | wc -l)" 0
systemctl start timbred
same "it starts without a card" "$(systemctl is-active timbred)" active
has "and says so" "$(systemctl status timbred --no-pager)" "NO SOUND DEVICE"
has "timbrectl status tells why" "$(timbrectl status)" "device     none: no sound device"
p=$(main); sleep 25
same "it waits, the watchdog content" "$(main)" "$p"
modprobe snd-aloop
within 8 "a card that comes late is played" plays
same "by the same process" "$(main)" "$p"
