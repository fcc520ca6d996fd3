# 10-first-steps  With nothing configured the server answers at once, and says so.
server  start
log     has canned answers
log     has auth "off (loopback only)"
get     /ok -> 200, .ok == true
post    /runs/wait {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "hello"}]}}
        -> 200, .messages.*.type == ["human", "ai"], .messages.1.content has "A small server"
# the README's question is answered through a tool
post    /runs/wait {"assistant_id": "agent", "input": {"messages": [{"role": "user", "content": "What time is it?"}]}}
        -> 200, .messages.*.type == ["human", "ai", "tool", "ai"], .messages.2.name == "current_time"
# what measures works on what a new user has
cohort  bench streams --url http://127.0.0.1:$port --concurrency 5 -> 0, has "words                        42"
cohort  bench --help -> 0, has "bench streams"
cohort  bench nope -> 2, has "unknown command \"nope\""
cohort  serve --version -> 0, starts "cohort "
cohort  -v -> 0, starts "cohort "
server  stop
log     lacks " error "
