#!/bin/sh
# ramp.sh IMAGE ARM TURNS TTFT TOKENS TOKMS C1 C2 ... - a ramp of an image's sessions;
# CPUS and MEM are the box, SCALE_STATE_KB and SCALE_VT as `cohort bench sessions`
# reads them.
#
# SPDX-License-Identifier: MIT
set -eu
if [ $# -lt 7 ]; then
	echo "usage: bench/ramp.sh IMAGE ARM TURNS TTFT TOKENS TOKMS C1 C2 ..." >&2
	exit 2
fi
image=$1 arm=$2 turns=$3 ttft=$4 tokens=$5 tokms=$6
shift 6
steps=$(echo "$*" | tr ' ' ',')
exec "${COHORT:-cohort}" bench ramp --image "$image" --arm "$arm" --turns "$turns" \
	--ttft "$ttft" --tokens "$tokens" --token-ms "$tokms" --steps "$steps"
