# 32-queue  Five runs wait for a slow one and run in their order; the cancelled one never does.
model   for "r1" reply "a1"
model   for "r2" reply "a2"
model   for "r4" reply "a4"
model   for "r5" reply "a5"
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs say "mock:stall" -> 200, $r0 = .run_id
post    /threads/$t/runs say "r1" -> 200, .status == "pending", $r1 = .run_id
post    /threads/$t/runs say "r2" -> 200, .status == "pending"
post    /threads/$t/runs say "r3" -> 200, .status == "pending", $r3 = .run_id
post    /threads/$t/runs say "r4" -> 200, .status == "pending"
post    /threads/$t/runs/wait say "r5" as w
until   get /threads/$t/runs -> 200, .length == 6
get     /threads/$t -> 200, .status == "busy"
post    /threads/$t/runs/$r3/cancel?wait=true -> 204
get     /threads/$t/runs/$r3 -> 200, .status == "interrupted"
get     /threads/$t -> 200, .status == "busy"
post    /threads/$t/runs/$r0/cancel?wait=true -> 204
await   w -> 200, .messages.*.content has "\"r1\",\"a1\",\"r2\",\"a2\",\"r4\",\"a4\",\"r5\",\"a5\""
get     /threads/$t/runs -> 200,
        .*.status == ["success", "success", "interrupted", "success", "success", "interrupted"]
get     /threads/$t/runs/$r1/join -> 200, .messages.-1.content == "a5"
get     /threads/$t -> 200, .status == "idle"
log     lacks " error "
