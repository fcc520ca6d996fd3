# 70-settings  An option beats the environment, that beats cohort.yaml, that beats the default.
file    cohort.yaml
        | shards: 3
        | store: memory
        | log:
        |   level: warn
        | model: scripted:from-file
env     COHORT_SHARDS 2
env     COHORT_STORE memory
cohort  config --shards 1 -> 0, has "# --shards", has "# $$COHORT_STORE", has "# cohort.yaml:4", has "# default"
server  start --shards 1
log     has shards 1
log     has database memory
log     has "scripted:from-file"
get     /ok -> 200
server  stop
# a slip is named, with its line, before anything is served
file    cohort.yaml
        | shards: 3
        | jwt:
        |   secert: x
cohort  serve -> 2, has "cohort.yaml:3: unknown setting \"jwt.secert\"; did you mean jwt.secret?"
file    cohort.yaml
        | shards: many
cohort  serve -> 2, has "cohort.yaml:1", has "0 to 64", has "\"many\""
cohort  serve --config nowhere.yaml -> 2, has "nowhere.yaml"
file    cohort.yaml
        |
cohort  serve --shrads 3 -> 2, has "unknown flag: --shrads; did you mean --shards?"
env     COHORT_STORE ""
env     DATABASE_URL mysql://ann:s3cret@db/x
cohort  serve -> 2, has "$DATABASE_URL: expected a PostgreSQL", has "mysql://***@db/x"
