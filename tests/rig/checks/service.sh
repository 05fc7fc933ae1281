# The service of the system, installed as in systemd/README.md, and the actions of an administrator.
plain_alsa; loopback
install_service
within 5 "enable --now leaves it active" 'systemctl is-active timbred'
has "systemctl status says what plays" "$(systemctl status timbred --no-pager)" "ALSA default"
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "it is heard" "$(peak 4)" 300
wait
p=$(main)
least "memory is locked, kB" "$(awk '/VmLck/{print $2}' /proc/$p/status)" 1000
for t in /proc/$p/task/*; do
  echo "$(cat $t/comm) $(chrt -p ${t##*/} | awk '{print $NF}' | tr '\n' ' ')"
done >/tmp/threads
same "the device's thread is real-time" "$(awk '/cpal_alsa/{print $2}' /tmp/threads)" SCHED_FIFO
echo "--- reload"
timbrectl program 1 40; sleep 4
mkdir -p /etc/timbred
printf '[audio]\nbuffer_frames = 64\n[engine]\nhop_ms = 80\n' >/etc/timbred/config.toml
systemctl reload timbred
within 3 "a reload with a buffer that the card has not is played" 'plays default'
printf '[audio]\nbuffer_frames = "many"\n' >/etc/timbred/config.toml
systemctl reload timbred; sleep 1
has "a broken file leaves it playing" "$(timbrectl status)" "device     ALSA default"
printf '[audio]\ndevice = "hw:7"\n' >/etc/timbred/config.toml
systemctl reload timbred; sleep 2
has "a device that is not there leaves what played" "$(timbrectl status)" "device     ALSA default"
errors=$(journalctl -u timbred -b -p err -q --no-pager)
least "errors reach the journal with their level" "$(grep -c . <<<"$errors")" 1
has "those of the reloads" "$errors" "hw:7"
lacks "and others have theirs" "$errors" " INFO "
rm /etc/timbred/config.toml; systemctl reload timbred
slow=0
for i in $(seq ${TIMES:-6}); do
  for text in 'buffer_frames = 64' 'buffer_frames = "many"' 'device = "hw:7"' ''; do
    printf '[audio]\n%s\n' "$text" >/etc/timbred/config.toml
    timeout 10 systemctl reload timbred || slow=$((slow + 1))
  done
  timeout 20 systemctl restart timbred || slow=$((slow + 1))
done
same "reloads and restarts of ${TIMES:-6} rounds that hung or failed" $slow 0
same "a restart keeps the instruments" "$(timbrectl get ch.1.program | awk '{print $NF}')" 40
echo "--- the card is lost"
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/unbind & sleep 0.1
within 10 "status says that it is lost" 'timbrectl status | grep -q "device     none"'
within 5 "systemctl status, too" 'systemctl status timbred --no-pager | grep -q "NO SOUND DEVICE"'
has "and names it as what is to be mended" "$(timbrectl status)" \
  "to mend    sound device: timbred runs without sound"
has "no level is shown" "$(timbrectl status)" "-120.0 dBFS peak"
sleep 12
has "the service stays" "$(systemctl is-active timbred)" active
wait
echo snd_aloop.0 >/sys/bus/platform/drivers/snd_aloop/bind
within 8 "the card comes back" plays
within 5 "systemctl status says so" 'systemctl status timbred --no-pager | grep -q "Status: .*ALSA"'
echo "--- frozen, killed"
p=$(main); kill -STOP $p
within 16 "a frozen process is killed and back" 'is_another $p && systemctl is-active timbred'
for i in $(seq 8); do p=$(main); [ "$p" = 0 ] || kill -9 $p; sleep 2; done
within 15 "killed eight times in a row it is back" 'systemctl is-active timbred && timbrectl status'
same "instruments are as they were" "$(timbrectl get ch.1.program | awk '{print $NF}')" 40
