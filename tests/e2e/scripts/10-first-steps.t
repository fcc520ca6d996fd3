# 10-first-steps  With nothing configured the server answers at once, and says so.
server  start
log     has canned answers
log     has auth "off (loopback only)"
get     /ok -> 200, .ok == true
post    /runs/wait {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "hello"}]}}
        -> 200, .messages.*.type == ["human", "ai"], .messages.1.content has "A small server"
server  stop
log     lacks " error "
