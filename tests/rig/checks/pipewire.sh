# The sound of a desktop: PipeWire, WirePlumber, pipewire-alsa and pipewire-jack, for the user
# `musician`; the package with the service of its user, and the service of the system beside it.
# Like most cards, this one plays for one program at a time.
modprobe snd-aloop pcm_substreams=1; modprobe snd-seq; udevadm settle
# The sound server wakes with the timer, every 10 ms. With its default headroom this card runs dry
# in every period, is restarted, and plays a third of the sound that it should: keys are heard a
# second late, and ever later. Newer versions have more headroom in a virtual machine.
mkdir -p /etc/wireplumber/main.lua.d
cat >/etc/wireplumber/main.lua.d/51-rig.lua <<'LUA'
table.insert(alsa_monitor.rules, {
  matches = { { { "node.name", "matches", "alsa_output.*" } } },
  apply_properties = { ["api.alsa.period-size"] = 1024, ["api.alsa.headroom"] = 4096 },
})
LUA
as() {
  runuser -u musician -- env XDG_RUNTIME_DIR=/run/user/1000 HOME=/home/musician PATH=$PATH \
    DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"
}
# on_time WHAT MEASURED MORE: whether the earliest key was heard in time; other load beside the rig
# makes the others late. The attack of a piano takes 10 ms, the timer and the recorder another 20.
on_time() {
  local low published
  low=$(sed -n 's/.*ms (\([0-9]*\) to.*/\1/p' <<<"$2") published=$(field latency_ms)
  most "$1, ms more than the published $published" \
    "$(awk -v a="$low" -v b="$published" 'BEGIN{print a-b}')" "$3"
}
# A volume that the user set before. If it is set while the session manager still configures the
# card, it is replaced by 40 %, the default for an unknown card, as much as half a minute later.
state=/home/musician/.local/state/wireplumber
runuser -u musician -- mkdir -p $state
runuser -u musician -- tee $state/default-routes >/dev/null <<'STATE'
[default-routes]
alsa_card.platform-snd_aloop.0:output:analog-output:channelMap=FL;FR;
alsa_card.platform-snd_aloop.0:output:analog-output:channelVolumes=0.729;0.729;
alsa_card.platform-snd_aloop.0:profile:output:analog-stereo+input:analog-stereo=analog-output;
STATE
loginctl enable-linger musician
within 30 "the user's session is up" 'as systemctl --user is-active default.target'
within 20 "PipeWire runs" 'as systemctl --user is-active pipewire wireplumber'
volume() { as wpctl get-volume @DEFAULT_AUDIO_SINK@; }
within 30 "the card is as loud as its user left it" '[ "$(volume)" = "Volume: 0.90" ]'
echo "--- the package, on a machine with a login manager"
touch /etc/systemd/system/display-manager.service
apt_get install $kit/timbred.deb
same "apt installs it" $? 0
has "it says how its user asks for it" "$(cat /tmp/apt.log)" "systemctl --user enable --now timbred"
same "the sound server's card is as loud as before" "$(volume)" "Volume: 0.90"
same "the system's service is off" "$(systemctl is-enabled timbred)" disabled
systemctl enable --now timbred 2>/dev/null
same "asked for, it stays beside a desktop" "$(systemctl is-active timbred)" active
timbrectl status | sed -n 4p
systemctl disable --now timbred 2>/dev/null
cd /home/musician
as systemctl --user enable --now timbred
within 10 "the user's service plays the sound server" 'plays default'
# On a virtual machine PipeWire uses at least 1024 frames at a time.
sleep 15; timbrectl status | sed -n 2,5p
before=$(field underruns); sleep 5
most "underruns in five seconds, once the buffer is as large as it must be" \
  $(($(field underruns) - before)) 3
# A card that appears, or appears again, begins with a volume of 40 %.
as wpctl set-volume @DEFAULT_AUDIO_SINK@ 1.0
$kit/latency plughw:Loopback,1,0 timbred 1 # wakes the sink
measured=$($kit/latency plughw:Loopback,1,0 timbred 3); echo "$measured"
has "it is heard" "$measured" "heard 3 of 3"
on_time "on time" "$measured" 50
lacks "no line of a JACK library" \
  "$(journalctl _UID=1000 -b --no-pager | grep timbred)" "jack::"
as systemctl --user restart pipewire wireplumber
sleep 6
as wpctl set-volume @DEFAULT_AUDIO_SINK@ 1.0
within 20 "a sound server that restarts is found again" plays
measured=$($kit/latency plughw:Loopback,1,0 timbred 2); echo "$measured"
has "and it is heard again" "$measured" "heard 2 of 2"
on_time "on time, too" "$measured" 50
as systemctl --user stop timbred
(as pw-jack timbred --audio jack >/tmp/t.log 2>&1 &)
within 20 "under pw-jack it plays" 'grep -q ready: /tmp/t.log'
ports=$(as pw-link -o; as pw-link -i)
timbrectl set master.gain -6
has "as timbred" "$ports" "timbred:out_left"
has "which hears MIDI" "$ports" "timbred:midi_in"
measured=$($kit/latency plughw:Loopback,1,0 timbred 3); echo "$measured"
has "and is heard" "$measured" "heard 3 of 3"
# The delay that JACK reports lacks the headroom set above, 85 ms.
on_time "on time there" "$measured" 135
