#include "core/base/files/owner.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <random>
#include <sstream>
#include <vector>

#include "core/base/files/hash.h"

namespace wkvq {
namespace {

constexpr size_t kMaxHost = 32;

uint64_t random_bits() {
  std::random_device device;
  return (uint64_t{device()} << 32) | device();
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "host";
  std::string kept;
  for (const char* c = name.data(); *c != '\0' && kept.size() < kMaxHost; ++c)
    if (std::isalnum(static_cast<unsigned char>(*c)) || *c == '.') kept += *c;
  return kept.empty() ? "host" : kept;
}

/// Of a /proc/<process>/stat.
struct ProcessStat {
  uint64_t process = 0, start = 0;
  bool ended = false;  ///< only its parent has not yet asked how
};

/// Nothing where there is none.
std::optional<ProcessStat> read_stat(const std::string& process) {
  std::ifstream file("/proc/" + process + "/stat");
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The name in brackets may hold anything, brackets too.
  const size_t name_end = line.rfind(')');
  if (name_end == std::string::npos) return std::nullopt;
  ProcessStat stat;
  std::istringstream(line) >> stat.process;
  std::istringstream rest(line.substr(name_end + 1));
  std::string skipped;
  char state = 0;
  rest >> state;
  stat.ended = state == 'Z' || state == 'X';
  constexpr int kFieldsBetween = 18;  // ppid (4) to itrealvalue (21) stand before starttime (22)
  for (int i = 0; i < kFieldsBetween; ++i) rest >> skipped;
  if (!(rest >> stat.start)) return std::nullopt;
  return stat;
}

/// Equal for two processes exactly where the numbers of processes mean the same to both.
struct Machine {
  uint32_t id = 0;
  uint64_t start = 0;
};
Machine find_machine() {
  std::ifstream file("/proc/sys/kernel/random/boot_id");
  std::string boot;
  std::array<char, 64> space{};
  const auto stat = read_stat("self");
  // A /proc of another space of numbers would tell of other processes.
  const bool known = std::getline(file, boot) && stat &&
                     stat->process == static_cast<uint64_t>(::getpid()) &&
                     ::readlink("/proc/self/ns/pid", space.data(), space.size() - 1) > 0;
  if (!known) return {static_cast<uint32_t>(random_bits()), 0};
  const std::string digits = hash_text(boot + space.data()).substr(0, 8);
  return {static_cast<uint32_t>(std::stoul(digits, nullptr, 16)), stat->start};
}

const Machine& this_machine() {
  static Machine found;
  static pid_t of = 0;  // a fork is another process
  if (of != ::getpid()) {
    found = find_machine();
    of = ::getpid();
  }
  return found;
}

template <class T>
bool read_number(const std::string& text, T& value, int base) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

Owner Owner::self() {
  return {.host = host_name(),
          .machine = this_machine().id,
          .process = static_cast<uint64_t>(::getpid()),
          .start = this_machine().start,
          .random = random_bits()};
}

std::optional<Owner> Owner::parse(std::string_view token) {
  std::vector<std::string> parts;
  std::istringstream text{std::string(token)};
  for (std::string part; std::getline(text, part, '-');) parts.push_back(part);
  Owner owner;
  if (parts.size() != 5 || parts[0].empty() || parts[0].size() > kMaxHost ||
      !read_number(parts[1], owner.machine, 16) || !read_number(parts[2], owner.process, 10) ||
      !read_number(parts[3], owner.start, 10) || !read_number(parts[4], owner.random, 16))
    return std::nullopt;
  owner.host = parts[0];
  return owner;
}

std::string Owner::token() const {
  return fmt::format("{}-{:08x}-{}-{}-{:016x}", host, machine, process, start, random);
}

std::string Owner::text() const {
  return fmt::format("host {}, process {}", host, process);
}

Life life_of(const Owner& owner) {
  if (owner.machine != this_machine().id || owner.start == 0 || owner.process == 0 ||
      owner.process > INT32_MAX)
    return Life::kUnknown;
  if (::kill(static_cast<pid_t>(owner.process), 0) != 0 && errno == ESRCH) return Life::kDead;
  // The number may have gone to a later process.
  const auto stat = read_stat(std::to_string(owner.process));
  return stat && (stat->ended || stat->start != owner.start) ? Life::kDead : Life::kAlive;
}

}  // namespace wkvq
