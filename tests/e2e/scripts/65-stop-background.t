# 65-stop-background  A run nobody waits for does not hold up the end; it goes on after the restart.
model   for "mock:stallx1" reply "finished later"
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs say "mock:stallx1" -> 200, $r = .run_id
until   get /threads/$t/runs/$r -> 200, .status == "running"
server  stop
server  start
get     /threads/$t/runs/$r/join -> 200, .messages.-1.content == "finished later"
get     /threads/$t/runs/$r -> 200, .status == "success"
