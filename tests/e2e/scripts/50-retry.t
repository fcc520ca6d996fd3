# 50-retry  A model that says 429 is asked again after its Retry-After; the client notices nothing.
model   for "busy" reply "thank you for waiting"
server  start
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "busy mock:429x1" {"stream_mode": ["messages-tuple"]} as s
        -> event metadata, text "thank you for waiting", skip to end
log     has "attempt=1 wait_ms=1000 event=error.llm.rate_limited"
get     /threads/$t/runs -> 200, .0.status == "success"
log     lacks " error "
