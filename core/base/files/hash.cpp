#include "core/base/files/hash.h"

#include <xxhash.h>

#include <cstdint>
#include <fstream>
#include <new>
#include <vector>

#include "core/base/error.h"
#include "core/base/files/regular_file.h"

namespace wkvq {
namespace {

XXH3_state_t* state_of(void* state) {
  return static_cast<XXH3_state_t*>(state);
}

}  // namespace

void Hasher::Free::operator()(void* state) const {
  XXH3_freeState(state_of(state));
}

Hasher::Hasher() : state_(XXH3_createState()) {
  if (!state_) throw std::bad_alloc();
  XXH3_128bits_reset(state_of(state_.get()));
}

Hasher& Hasher::add(const void* bytes, size_t count) {
  if (count > 0) XXH3_128bits_update(state_of(state_.get()), bytes, count);
  return *this;
}

Hasher& Hasher::add_part(std::string_view text) {
  return add(fmt::format("{}:", text.size())).add(text);
}

std::string Hasher::hex() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_of(state_.get()));
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash_text(std::string_view text) {
  return Hasher().add(text).hex();
}

std::string hash_file(const std::filesystem::path& path) {
  require_regular_file(path);
  std::ifstream file(path, std::ios::binary);
  Hasher hasher;
  std::vector<char> buffer(size_t{1} << 20);
  while (file.good()) {
    file.read(buffer.data(), static_cast<std::streamsize>(buffer.size()));
    hasher.add(buffer.data(), static_cast<size_t>(file.gcount()));
  }
  if (!file.eof()) config_error("{}: cannot be read", path.string());
  return hasher.hex();
}

}  // namespace wkvq
