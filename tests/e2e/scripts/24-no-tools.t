# 24-no-tools  `tools: []` offers the model none, a list offers these; a call of another is refused.
capture reply "fine"
server  start
post    /runs/wait say "none" {"config": {"configurable": {"tools": []}}} -> 200
asked   -> .tools absent
post    /runs/wait say "one" {"config": {"configurable": {"tools": ["current_time"]}}} -> 200
asked   -> .tools.*.function.name == ["current_time"]
# context says the same as configurable
post    /runs/wait say "context" {"context": {"tools": [], "system_prompt": "Short."}} -> 200
asked   -> .tools absent, .messages.0 == {"role": "system", "content": "Short."}
