# The sound card disappears (unbound from its driver, as if it were pulled out) and comes back while
# a key is held, ${TIMES} times.
plain_alsa; loopback
driver=/sys/bus/platform/drivers/snd_aloop
start_timbred --buffer 2048
slow=0 stuck=0 worst=0
for i in $(seq ${TIMES:-50}); do
  $kit/keyboard "Keys" "k" 1 0.5 60 3 0 & player=$!
  sleep 0.9
  echo snd_aloop.0 >$driver/unbind & sleep 0.6
  while plays; do sleep 0.1; done
  wait %2 2>/dev/null
  wait $player 2>/dev/null
  echo snd_aloop.0 >$driver/bind
  begun=$(now)
  until plays || longer 12 $begun; do sleep 0.05; done
  took=$(awk -v a=$begun -v b=$(now) 'BEGIN{print b-a}')
  awk -v t=$took 'BEGIN{exit !(t>5)}' && slow=$((slow + 1))
  worst=$(awk -v a=$worst -v b=$took 'BEGIN{print (a>b?a:b)}')
  begun=$(now)
  until is_silent || longer 4 $begun; do sleep 0.1; done
  is_silent || stuck=$((stuck + 1))
done
most "slowest return of the sound in ${TIMES:-50} times, s" $worst 6
same "times that it took more than 5 s" $slow 0
same "times that a note stuck" $stuck 0
(aplaymidi --port timbred $kit/scale.mid) & sleep 2
least "at the end it is heard" "$(peak 4)" 300
wait $!
lacks "no panic" "$(cat /tmp/timbred.log)" "panicked"
stop_timbred
