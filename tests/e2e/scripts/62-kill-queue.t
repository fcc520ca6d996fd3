# 62-kill-queue  What was queued before the crash runs after it, in order.
model   for "mock:stallx1" reply "zero"
model   for "r1" reply "one"
model   for "r2" reply "two"
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs say "mock:stallx1" -> 200, $r0 = .run_id
post    /threads/$t/runs say "r1" -> 200
post    /threads/$t/runs say "r2" -> 200, $r2 = .run_id
until   get /threads/$t/runs/$r0 -> 200, .status == "running"
server  kill
server  start --shards 1
get     /threads/$t/runs/$r2/join -> 200,
        .messages.*.content == ["mock:stallx1", "zero", "r1", "one", "r2", "two"]
get     /threads/$t/runs -> 200, .*.status == ["success", "success", "success"]
log     has "store recovered runs=1"
