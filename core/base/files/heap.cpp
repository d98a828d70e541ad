#include "core/base/files/heap.h"

#include <fstream>
#include <string>

// __GLIBC__ is known once a header of the library was read.
#ifdef __GLIBC__
#include <malloc.h>
#endif

namespace wkvq {
namespace {

/// A size of /proc/self/status. What getrusage calls the peak may be that of the program which
/// started this one.
int64_t status_bytes(const std::string& name) {
  std::ifstream file("/proc/self/status");
  std::string word;
  while (file >> word) {
    int64_t kibibytes = 0;
    if (word == name && file >> kibibytes) return kibibytes * 1024;
  }
  return 0;
}

}  // namespace

void configure_heap() {
#ifdef __GLIBC__
  // Activations of megabytes come and go thousands of times: they stay on the heap, where fresh
  // pages for each would take a tenth of a training step. Larger tensors, such as the logits of a
  // chunk, go back to the system at once, smaller ones in release_freed_memory.
  mallopt(M_MMAP_THRESHOLD, 16 << 20);
  mallopt(M_TRIM_THRESHOLD, 256 << 20);
  mallopt(M_ARENA_MAX, 1);
#endif
}

void release_freed_memory() {
#ifdef __GLIBC__
  malloc_trim(0);
#endif
}

int64_t resident_bytes() {
  return status_bytes("VmRSS:");
}

int64_t peak_resident_bytes() {
  return status_bytes("VmHWM:");
}

}  // namespace wkvq
