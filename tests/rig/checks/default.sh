# `timbred` without an option on a machine with a plain ALSA card: it starts, it can be heard, and
# every device in its list opens.
plain_alsa; loopback
start_timbred
log=$(cat /tmp/timbred.log)
lacks "no line of a JACK library" "$log" "jack::"
lacks "no error at a first start" "$log" "ERROR"
has "it says which device it chose" "$log" "the sound device was chosen by itself: Loopback"
has "the device that plays has a star" "$(timbrectl devices)" "* ALSA default"
period=$(awk '/^period_size/{print $2}' /proc/asound/card0/pcm0p/sub0/hw_params)
has "the true buffer is published" "$(timbrectl status)" "$period frames"
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "a song of aplaymidi is heard" "$(peak 4)" 300
wait %2 2>/dev/null || wait $!
within 3 "its notes end" '[ "$(notes)" = 0 ]'
# The attack of a piano takes 10 ms, and playing and recording wait for the timer, which ticks every
# 10 ms.
published=$(field latency_ms)
measured=$($kit/latency plughw:Loopback,1,0 timbred 5)
echo "$measured; published $published ms"
has "every key is heard" "$measured" "heard 5 of 5"
# The earliest of five counts, because other load beside the rig makes the others late.
low=$(sed -n 's/.*ms (\([0-9]*\) to.*/\1/p' <<<"$measured")
more=$(awk -v a="$low" -v b="$published" 'BEGIN{print a-b}')
most "measured less published latency, ms" "$more" 35
least "and no less than published" "$more" -5
n=0
timbrectl devices | sed -n 's/^[* ] ALSA \([^ ]*\).*/\1/p' >/tmp/devices
while read -r device; do
  n=$((n + 1))
  opened=$(timbrectl device "$device" 2>&1)
  has "the listed $device opens" "$opened" "ALSA $device"
done </tmp/devices
least "devices listed" $n 3
printf 'pcm.mine { type plug; slave.pcm "hw:Loopback" }\n' >/root/.asoundrc
for name in hw:0 plughw:0,0 hw:Loopback plughw:CARD=Loopback plug:hw:0 sysdefault:CARD=Loopback; do
  has "ALSA's own name $name is taken" "$(timbrectl device $name 2>&1)" " 48000 Hz, "
done
has "a part of a name is enough" "$(timbrectl device 'loopback,dev=0' 2>&1)" \
  "plughw:CARD=Loopback,DEV=0"
has "a wrong name is answered with what there is" "$(timbrectl device nonsense 2>&1)" \
  "there are: ALSA default"
has "what played before plays on" "$(timbrectl devices)" "* ALSA plughw:CARD=Loopback,DEV=0"
# Plays to a card with another format or rate as its only one. The loopback card has the format and
# rate of the program that first records from it.
odd() { # FORMAT RATE
  timbrectl device default >/dev/null; timbrectl device null >/dev/null
  arecord -q -D hw:Loopback,1,0 -f $1 -r $2 -c 2 -d 12 -t raw /tmp/odd.raw & recorder=$!
  sleep 0.5
  timbrectl device hw:CARD=Loopback,DEV=0
  (aplaymidi --port timbred $kit/scale.mid) & player=$!
  sleep 5; kill $recorder; wait $recorder 2>/dev/null
  least "$1 at $2 Hz is played" "$(od -An -v -tu1 -w6 /tmp/odd.raw |
    awk '$3+0>0 && $3+0<255 || $6+0>0 && $6+0<255' | wc -l)" 1000
  wait $player 2>/dev/null
}
odd S24_3LE 48000
odd S16_LE 44100
odd FLOAT_LE 48000
stop_timbred
for buffer in 16 300 2048 8192; do
  start_timbred --buffer $buffer
  has "with --buffer $buffer it plays the default device" "$(timbrectl status)" \
    "device     ALSA default"
  stop_timbred
done
# The program is frozen for longer than two buffers. The device runs dry, which is counted and
# reported.
start_timbred --device hw:Loopback --buffer 2048
before=$(field underruns)
kill -STOP $timbred_pid; sleep 1; kill -CONT $timbred_pid; sleep 1
least "a device that ran dry is counted" $(($(field underruns) - before)) 1
within 12 "and told" 'grep -q "sound device ran dry" /tmp/timbred.log'
stop_timbred
