#!/bin/sh
# Prints MB of text a second of processor time for several tokenizers (needs the shared test data).
set -eu
cd "$(dirname "$0")/../.."
exec build/test_datasets "tokenizer speed"
