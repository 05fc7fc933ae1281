# An hour of playing (HOUR_MINUTES): the same few seconds are repeated. The sound must not drift,
# memory must not grow, and no notes may be lost.
plain_alsa; loopback
start_timbred --buffer 2048
for i in $(seq 12); do aplaymidi --port timbred $kit/scale.mid; done
memory() { awk '/VmRSS/{print $2}' /proc/$(pidof timbred)/status; }
at_first=$(memory) latency=$(field latency_ms) gaps=$(field underruns)
end=$(($(date +%s) + 60 * ${HOUR_MINUTES:-60}))
while [ "$(date +%s)" -lt $end ]; do aplaymidi --port timbred $kit/scale.mid; done
sleep 3
same "notes still held" "$(notes)" 0
most "memory that it grew by, kB" $(($(memory) - at_first)) 20000
most "published latency that it grew by, ms" \
  "$(awk -v a=$(field latency_ms) -v b=$latency 'BEGIN{print a-b}')" 15
echo "$(($(field underruns) - gaps)) underruns in ${HOUR_MINUTES:-60} minutes"
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "it is heard" "$(peak 4)" 300
wait $!
stop_timbred
