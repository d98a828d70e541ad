#pragma once

#include <cstdint>

namespace wkvq {

/// How the C library's allocator is to keep memory that was freed; for programs, at their start.
/// One heap serves all threads: a weight that one thread loaded and another freed is used again.
void configure_heap();

/// Gives freed memory back to the system. The allocator keeps it otherwise, a hole between two
/// tensors for each weight that was replaced: about three times a block for every block.
void release_freed_memory();

/// Memory of this process in the machine, libraries and read pages of mapped files included, in
/// bytes: now, and at most so far. 0 where the system does not say.
int64_t resident_bytes();
int64_t peak_resident_bytes();

}  // namespace wkvq
