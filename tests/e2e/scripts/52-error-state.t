# 52-error-state  A node that failed shows why in the state that names it; history gets no entry for it.
model   for "go" call current_time {}
model   for tool status 400
model   status 401
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "hello" -> 200, .__error__.error == "AuthenticationError"
get     /threads/$t/state -> 200, .metadata.step == 0, .metadata.source == "loop", .next == ["agent"],
        .values.messages.*.content == ["hello"], .tasks.length == 1, .tasks.0.name == "agent",
        .tasks.0.error has "{\"message\":\"", .tasks.0.error has "\"name\":\"AuthenticationError\"}",
        .tasks.0.result == null, .tasks.0.interrupts == [], $c = .checkpoint.checkpoint_id
get     /threads/$t/history -> 200, .*.metadata.step == [0, -1], .*.next == [["agent"], ["__start__"]],
        .0.checkpoint.checkpoint_id == $c, .0.tasks.0.error has "AuthenticationError", .1.tasks.0.error == null
# and in one line of the log, with what an operator needs to find it again
log     has "info run failed run=" thread=$t " assistant=fe096781-5601-53d2-b2f6-0d3403f7e9ca model=" error=AuthenticationError "message=" " ms="
# asked again without input, it fails in the same place
post    /threads/$t/runs/wait {"assistant_id": "agent"} -> 200, .__error__.error == "AuthenticationError"
get     /threads/$t/history -> 200, .*.metadata.step == [0, -1], .0.checkpoint.checkpoint_id == $c
# so it is whatever was written before
post    /threads {} -> 200, $a = .thread_id
post    /threads/$a/runs/wait say "go" {"durability": "async"} -> 200, .__error__.error == "BadRequestError"
get     /threads/$a/history -> 200, .*.metadata.step == [2, 1, 0, -1], .0.next == ["agent"],
        .0.tasks.0.error has "BadRequestError", .1.tasks.0.error == null, .2.tasks.0.error == null
post    /threads {} -> 200, $b = .thread_id
post    /threads/$b/runs/wait say "go" {"durability": "sync"} -> 200, .__error__.error == "BadRequestError"
get     /threads/$b/history -> 200, .*.metadata.step == [2, 1, 0, -1],
        .0.tasks.0.error has "BadRequestError", .1.tasks.0.error == null, .2.tasks.0.error == null
post    /threads {} -> 200, $e = .thread_id
post    /threads/$e/runs/wait say "go" {"durability": "exit"} -> 200, .__error__.error == "BadRequestError"
get     /threads/$e/history -> 200, .*.metadata.step == [2], .0.tasks.0.error has "BadRequestError"
