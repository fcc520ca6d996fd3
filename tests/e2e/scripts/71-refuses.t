# 71-refuses  What a server does not start with, and the words that help.
server  start
cohort  serve --db other.db --port $port -> 1, has "port $port on 127.0.0.1 is already in use", has "--port"
cohort  serve --port 0 -> 1, has "cohort.db is in use by another server (process "
# it is still the first one's, and unharmed
post    /threads {} -> 200, $t = .thread_id
server  stop
# the format's number in the file's header: from a version to come
poke    cohort.db 60 000003e7 was $format
cohort  serve --port 0 -> 1, has "cohort.db was written by a newer Cohort (format 999"
poke    cohort.db 60 $format
server  start
get     /threads/$t -> 200
server  stop
poke    cohort.db 68 01020304
cohort  serve --port 0 -> 1, has "cohort.db is a database of another program"
file    text.db
        | this is no database, but long enough to be one, if only its first words were right.
cohort  serve --port 0 --db text.db -> 1, has "text.db"
cohort  serve --port 0 --db missing/cohort.db -> 1, has "--db: the folder missing: No such file"
cohort  serve --port 0 --db text.db/cohort.db -> 1, has "text.db is not a folder"
cohort  serve --port 0 --host nonsense -> 1, has "--host: expected an IP address or localhost, got "
cohort  serve -p 1 -> 2, has "unknown shorthand flag: -p; flags are written out"
# a provider that is not there is refused, at start as in a run; other words before a colon are the model's
cohort  serve --port 0 --store memory --model bedrock:x -> 1, has "the provider \"bedrock\" is not known"
