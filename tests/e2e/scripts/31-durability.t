# 31-durability  sync and async write each step, exit the last one only; all end with the same values.
model   for "go" call current_time {}
model   for tool reply "done"
server  start
post    /threads {} -> 200, $a = .thread_id
post    /threads/$a/runs/wait say "go" {"durability": "async"} -> 200, .messages.length == 4
get     /threads/$a/history -> 200, .*.metadata.step == [3, 2, 1, 0, -1]
post    /threads {} -> 200, $b = .thread_id
post    /threads/$b/runs/wait say "go" {"durability": "sync"} -> 200, .messages.length == 4
get     /threads/$b/history -> 200, .*.metadata.step == [3, 2, 1, 0, -1]
post    /threads {} -> 200, $c = .thread_id
post    /threads/$c/runs/wait say "go" {"durability": "exit"} -> 200, .messages.length == 4
get     /threads/$c/history -> 200, .*.metadata.step == [3], .0.values.messages.length == 4
server  kill
server  start
get     /threads/$a/state -> 200, .values.messages.-1.content == "done"
get     /threads/$b/state -> 200, .values.messages.-1.content == "done"
get     /threads/$c/state -> 200, .values.messages.-1.content == "done"
# and the one without its steps goes on like the others
post    /threads/$c/runs/wait say "go" -> 200, .messages.length == 8
