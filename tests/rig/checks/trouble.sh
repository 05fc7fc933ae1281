# Other faults of a machine, and how the service handles them.
plain_alsa; loopback
install_service
within 30 "the service plays" plays
kept=0
for i in $(seq ${TIMES:-20}); do
  p=$(main)
  timbrectl program 2 $((i + 1)) >/dev/null; sleep 3.6; kill -9 $p
  until [ "$(main)" != $p ] && systemctl is-active -q timbred; do sleep 0.1; done
  [ "$(timbrectl get ch.2.program | awk '{print $NF}')" = $((i + 1)) ] && kept=$((kept + 1))
done
same "instruments kept in ${TIMES:-20} kills" $kept ${TIMES:-20}
p=$(main)
now=$(date +%s)
date -s '2031-01-01 00:00' >/dev/null; sleep 5
date -s '2020-01-01 00:00' >/dev/null; sleep 8
date -s "@$((now + 13))" >/dev/null
same "a clock that jumps does it no harm" "$(main)" "$p"
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "and it is heard" "$(peak 4)" 300
wait
state=/var/lib/private/timbred
mount -t tmpfs -o size=64k none $state
chown --reference=/proc/$(main) $state
dd if=/dev/zero of=$state/fill bs=1k 2>/dev/null
timbrectl program 3 11; sleep 5
has "with a full disk it plays on" "$(timbrectl status)" "device     ALSA"
least "and says what it could not write" \
  "$(journalctl -u timbred -b -p err -q --no-pager | grep -c state.toml)" 1
has "as doctor does" "$(timbred doctor)" "is not saved for the next start"
systemctl restart timbred
same "it starts with a full disk" "$(systemctl is-active timbred)" active
umount -l $state
mount --bind $state $state; mount -o remount,bind,ro $state
systemctl restart timbred
same "it starts with a read-only disk" "$(systemctl is-active timbred)" active
within 10 "and plays" plays
umount -l $state; systemctl restart timbred
p=$(main); echo 1000 >/proc/$p/oom_score_adj; echo f >/proc/sysrq-trigger
within 15 "out of memory it is back" 'is_another $p && timbrectl status'
