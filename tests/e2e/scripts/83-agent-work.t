# 83-agent-work  An agent that asked for the tracker makes an item and takes it; others see both, and who it was.
model   for "plan" call work_create {"title": "Write it down", "priority": 1}
model   for tool "\"open\"" call work_claim {}
model   for tool "\"in_progress\"" reply "Planned."
server  start
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs/wait say "plan" {"config": {"configurable": {"tools": ["work"], "work_project": "shop"}}}
        -> 200, .messages.*.type == ["human", "ai", "tool", "ai", "tool", "ai"], .messages.5.content == "Planned."
post    /work/rpc?project=shop {"operation": "list", "args": {}}
        -> 200, .data.*.title == ["Write it down"], .data.*.status == ["in_progress"], .data.0.assignee has "agent/"
post    /work/rpc?project=shop {"operation": "history", "args": {}}
        -> 200, .data.*.kind == ["created", "claimed"], .data.1.actor has "$t"
post    /runs/wait say "plan" {"config": {"configurable": {"tools": ["wrok"]}}} -> 422, .detail has "wrok"
server  stop
log     lacks " error "
