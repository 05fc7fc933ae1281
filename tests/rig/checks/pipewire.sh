# A desktop's sound: PipeWire, WirePlumber, pipewire-alsa and pipewire-jack, for the user
# `musician`; the user's service as systemd/README.md says, and the system's service beside it.
modprobe -a snd-aloop snd-seq; udevadm settle
as() { runuser -u musician -- env XDG_RUNTIME_DIR=/run/user/1000 DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus HOME=/home/musician PATH=$PATH "$@"; }
loginctl enable-linger musician
within 30 "the user's session is up" 'as systemctl --user is-active default.target'
within 20 "PipeWire runs" 'as systemctl --user is-active pipewire wireplumber'
sleep 4; as wpctl set-volume @DEFAULT_AUDIO_SINK@ 1.0
install_service
same "the system's service stays beside a desktop" "$(systemctl is-active timbred)" active
timbrectl status | sed -n 4p
systemctl disable --now timbred 2>/dev/null
cd /home/musician
as mkdir -p .config/systemd/user; install -o musician -m 644 $kit/systemd/user/timbred.service .config/systemd/user/timbred.service
as systemctl --user daemon-reload; as systemctl --user enable --now timbred
within 10 "the user's service plays the sound server" 'timbrectl status | grep -q "device     ALSA default"'
# A machine that is none of iron has PipeWire take 1024 frames at a time and no fewer.
sleep 15; timbrectl status | sed -n 2,5p
before=$(field underruns); sleep 5
most "underruns in five seconds, once the buffer is as large as it must be" $(($(field underruns) - before)) 3
$kit/latency plughw:Loopback,1,0 timbred 1 # The first one wakes the sink.
measured=$($kit/latency plughw:Loopback,1,0 timbred 3); echo "$measured"
has "it is heard" "$measured" "heard 3 of 3"
lacks "no line of a JACK library" "$(journalctl _UID=1000 -b --no-pager | grep timbred)" "jack::"
as systemctl --user restart pipewire wireplumber
sleep 6
as wpctl set-volume @DEFAULT_AUDIO_SINK@ 1.0
within 20 "a sound server that restarts is found again" 'timbrectl status | grep -q "device     ALSA"'
measured=$($kit/latency plughw:Loopback,1,0 timbred 2); echo "$measured"
has "and it is heard again" "$measured" "heard 2 of 2"
as systemctl --user stop timbred
(as pw-jack timbred --audio jack >/tmp/t.log 2>&1 &)
within 20 "under pw-jack it plays" 'grep -q ready: /tmp/t.log'
ports=$(as pw-link -o; as pw-link -i)
timbrectl set master.gain -6
has "as timbred" "$ports" "timbred:out_left"
has "which hears MIDI" "$ports" "timbred:midi_in"
measured=$($kit/latency plughw:Loopback,1,0 timbred 3); echo "$measured"
has "and is heard" "$measured" "heard 3 of 3"
