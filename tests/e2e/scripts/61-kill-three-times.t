# 61-kill-three-times  A run that was under way in three crashes is given up, and its thread is usable.
model   for "again" reply "better now"
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs say "mock:stall" -> 200, $r = .run_id
until   get /threads/$t/runs/$r -> 200, .status == "running"
server  kill
server  start
until   get /threads/$t/runs/$r -> 200, .status == "running"
server  kill
server  start
until   get /threads/$t/runs/$r -> 200, .status == "running"
server  kill
server  start
log     has "store recovered runs=1 given_up=1"
get     /threads/$t/runs/$r -> 200, .status == "error"
get     /threads/$t -> 200, .status == "error"
post    /threads/$t/runs/wait say "again" -> 200, .messages.-1.content == "better now"
get     /threads/$t -> 200, .status == "idle"
