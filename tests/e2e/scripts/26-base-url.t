# 26-base-url  A run names its own model server only if the operator allows it, and never gets our key.
capture reply "elsewhere"
env     COHORT_OPENAI_BASE_URL http://127.0.0.1:9/v1
server  start
post    /runs/wait say "x" {"config": {"configurable": {"base_url": "$capture/v1"}}} -> 422, .detail has "base_url"
asked   -> requests 0
server  stop
server  start --allow-base-url
post    /runs/wait say "x" {"config": {"configurable": {"base_url": "$capture/v1"}}}
        -> 200, .messages.1.content == "elsewhere"
asked   -> requests 1, header authorization absent
