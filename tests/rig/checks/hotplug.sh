# Keyboards that are plugged and unplugged while keys are held: ports of programs, USB (dummy_hcd),
# twins, names, many.
plain_alsa; loopback
start_timbred --buffer 2048
same "one writable client" "$(aconnect -o | grep -c "'timbred'")" 1
$kit/keyboard "Keys" "main" 1 1.5 60,64,67 2 0 &
within 4 "three keys of a program are held" '[ "$(notes)" = 3 ]'
wait $!
within 3 "a program that dies lets go" '[ "$(notes)" = 0 ]'
bash $kit/gadget.sh midi nord "Nord Piano" 0
within 5 "a USB keyboard is heard" 'timbrectl ports | grep -q "^\* Nord"'
p=hw:nord,0
amidi -p $p -S "90 3C 64 90 40 64"
within 3 "two of its keys are held" '[ "$(notes)" = 2 ]'
bash $kit/gadget.sh out nord
within 3 "pulled out, it lets go" '[ "$(notes)" = 0 ]'
bash $kit/gadget.sh in nord 0
within 5 "plugged in, it is heard again" 'timbrectl ports | grep -q "^\* Nord"'
amidi -p $p -S "90 3C 64"
within 3 "and plays" '[ "$(notes)" = 1 ]'
amidi -p $p -S "FF"
within 3 "a reset ends its notes" '[ "$(notes)" = 0 ]'
timbrectl disconnect nord
bash $kit/gadget.sh out nord; sleep 1
# Another client gets its number.
$kit/keyboard "Thief" "t" 1 12 60 0.1 1 & thief=$!
sleep 0.5; bash $kit/gadget.sh midi twin "Nord Piano" 1; sleep 1; bash $kit/gadget.sh in nord 0
within 5 "a twin is heard, and the one that was disconnected is not" \
  '[ "$(timbrectl ports | grep -o "^[* ] Nord" | sort | tr "\n" ,)" = "  Nord,* Nord," ]'
timbrectl ports
bash $kit/gadget.sh out twin; wait $thief
within 5 "still not, alone" 'timbrectl ports | grep -q "^  Nord"'
timbrectl connect nord
amidi -p $p -S "90 3C 64"
within 3 "connected again it plays" '[ "$(notes)" = 1 ]'
bash $kit/gadget.sh out nord
within 3 "and lets go" '[ "$(notes)" = 0 ]'
$kit/keyboard "timbred's friend" "keys" 1 1.5 60 1.5 1 &
within 4 "a keyboard whose name begins with ours is heard" '[ "$(notes)" = 1 ]'
wait $!
$kit/keyboard "$(printf 'Clavi\xe9r')" "p" 1 1.5 61 1.5 1 &
within 4 "one whose name is no UTF-8 is heard" '[ "$(notes)" = 1 ]'
has "and shown" "$(timbrectl ports)" "* Claviér:p"
wait $!
for name in "Klavier Übergröße №1 für Zuhause" "電子ピアノＣＰ８８シリーズ二号機"; do
  bash $kit/gadget.sh midi n$((++i)) "$name" $((1 + i % 3))
  within 5 "a USB keyboard called $name is heard" 'timbrectl ports | grep -v Midi | grep -q "^\*"'
  bash $kit/gadget.sh out n$i; sleep 0.5
done
$kit/keyboard Many many 40 4 60 1 1 &
within 6 "forty ports are heard" '[ "$(timbrectl ports | grep -c "^\* Many")" = 40 ]'
within 6 "and play" '[ "$(notes)" = 1 ]'
same "without a queue of the sequencer" \
  "$(grep -c 'midir\|timbred' /proc/asound/seq/queues 2>/dev/null || true)" 0
wait $!
within 3 "and let go" '[ "$(notes)" = 0 ]'
$kit/keyboard After after 1 1.5 62 1.5 1 &
within 5 "a keyboard after that is heard" '[ "$(notes)" = 1 ]'
wait $!
(aplaymidi --port timbred $kit/hold.mid & sleep 2; kill -9 $!) 2>/dev/null
within 3 "a player that is killed within a chord lets go" '[ "$(notes)" = 0 ]'
stuck=0
for i in $(seq ${TIMES:-10}); do
  bash $kit/gadget.sh in nord 0
  until timbrectl ports | grep -q '^\* Nord'; do sleep 0.05; done
  amidi -p $p -S "90 3C 64 90 40 64 B0 40 7F"; sleep 0.2
  bash $kit/gadget.sh out nord; sleep 0.7
  [ "$(notes)" = 0 ] || stuck=$((stuck + 1))
done
same "notes that stuck in ${TIMES:-10} times in and out" $stuck 0
lacks "no panic" "$(cat /tmp/timbred.log)" "panicked"
stop_timbred
