#include "analysis/merge/merge.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <sstream>

#include "analysis/merge/run_content.h"
#include "analysis/read/merged_file.h"
#include "analysis/report/report.h"
#include "core/base/hdf5/hdf5.h"
#include "core/base/run/run_summary.h"
#include "tests/support/run_files.h"

using namespace wkvq;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

test::Number perplexity(double value) {
  return {.name = "perplexity.self.past", .metric = "perplexity", .value = value, .error = 0.1};
}

std::string merge(const std::vector<fs::path>& paths, const fs::path& to) {
  std::ostringstream out;
  REQUIRE(merge_command({.paths = paths, .out = to}, out) == 0);
  return out.str();
}

std::string report(const fs::path& path, const std::string& format = "csv") {
  std::ostringstream out;
  REQUIRE(report_command({.paths = {path}, .format = format}, out) == 0);
  return out.str();
}

std::vector<std::string> texts(const hdf5::Reader& file, const std::string& name) {
  return std::get<std::vector<std::string>>(file.column("/index", name));
}

}  // namespace

TEST_CASE("merge: runs are copied bit for bit, the index has a row an evaluation") {
  const test::TemporaryFolder folder;
  fs::create_directories(folder / "r");
  const fs::path a = test::write_run(folder / "r", "a", test::config("rtn", 4), {perplexity(7.5)});
  const fs::path b =
      test::write_run(folder / "r", "b", test::config("rtn", 2),
                      {perplexity(9.5), {.name = "kl.self.past", .metric = "kl", .value = 0.5}});
  const fs::path all = folder / "all.h5";
  CHECK_THAT(merge({folder / "r"}, all), Contains("2 runs"));
  REQUIRE(merged_runs(all) == std::vector<fs::path>{all / "a", all / "b"});
  CHECK(run_content(all / "a") == run_content(a));
  CHECK(run_content(all / "b") == run_content(b));
  CHECK(run_content(a) != run_content(b));
  const hdf5::Reader file(all);
  CHECK(texts(file, "run_id") == std::vector<std::string>{"a", "b", "b"});
  CHECK(texts(file, "method.kv.bits") == std::vector<std::string>{"4", "2", "2"});
  CHECK(texts(file, "metric") == std::vector<std::string>{"perplexity", "perplexity", "kl"});
  CHECK(std::get<std::vector<double>>(file.column("/index", "value")) ==
        std::vector<double>{7.5, 9.5, 0.5});
  // A report of the merged file is that of the folder.
  CHECK(report(all) == report(folder / "r"));
  CHECK(report(all, "table") == report(folder / "r", "table"));
  // A run in it is named like a file.
  CHECK(read_run(all / "b").evaluations.size() == 2);
  REQUIRE_CONFIG_ERROR(read_run(all / "c"), "no run 'c'");
}

TEST_CASE("merge: what is not done is left out, what is there twice must be equal") {
  const test::TemporaryFolder folder;
  for (const char* name : {"x", "y", "z"}) fs::create_directories(folder / name);
  test::write_run(folder / "x", "a", test::config("rtn", 4), {perplexity(7.5)});
  test::write_run(folder / "y", "a", test::config("rtn", 4), {perplexity(7.5)});
  RunFileWriter(folder / "y/failed.h5", {"failed", "demo", "name: demo\n"}).fail("no memory");
  test::write_file(folder / "y/half.h5", "half");
  const std::string said = merge({folder / "x", folder / "y"}, folder / "all.h5");
  CHECK_THAT(said, Contains("1 runs") && Contains("1 were there twice, equal"));
  CHECK_THAT(said, Contains("failed.h5: failed: no memory") && Contains("half.h5: unreadable"));
  // Merged files merge, in the place of an older one.
  test::write_run(folder / "x", "b", test::config("rtn", 2), {perplexity(8.5)});
  merge({folder / "x", folder / "all.h5"}, folder / "all.h5");
  CHECK(merged_runs(folder / "all.h5").value().size() == 2);
  test::write_run(folder / "z", "a", test::config("rtn", 4), {perplexity(7.25)});
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(
      merge_command({.paths = {folder / "x", folder / "z"}, .out = folder / "other.h5"}, out),
      "with different content, first at /evaluation/perplexity.self.past");
  CHECK(!fs::exists(folder / "other.h5"));
  REQUIRE_CONFIG_ERROR(merge_command({.paths = {folder / "x"}, .out = folder / "y/half.h5"}, out),
                       "exists and is no merged file");
  REQUIRE_CONFIG_ERROR(
      merge_command({.paths = {folder / "y/failed.h5"}, .out = folder / "none.h5"}, out),
      "no run that is done");
}

TEST_CASE("merge: a damaged merged file is refused as a whole") {
  const test::TemporaryFolder folder;
  test::write_run(folder.path(), "a", test::config("rtn", 4), {perplexity(7.5)});
  merge({folder / "a.h5"}, folder / "all.h5");
  std::string bytes(fs::file_size(folder / "all.h5"), '\0');
  std::ifstream(folder / "all.h5", std::ios::binary)
      .read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  test::write_file(folder / "damaged.h5", bytes);
  CHECK(!merged_runs(folder / "damaged.h5"));
  REQUIRE_CONFIG_ERROR(read_run(folder / "damaged.h5/a"), "damaged");
  CHECK_THAT(report(folder / "damaged.h5"), Contains("unreadable"));
}

TEST_CASE("merge: killed at any write, the file is whole or not there") {
  const test::TemporaryFolder folder;
  test::write_run(folder.path(), "a", test::config("rtn", 4), {perplexity(7.5)});
  for (const int limit : {0, 1, 600, 4096, 8000}) {
    const pid_t child = fork();
    if (child == 0) {
      // Beyond this size the system ends the process in the middle of its write.
      const rlimit size{static_cast<rlim_t>(limit), static_cast<rlim_t>(limit)};
      ::signal(SIGXFSZ, SIG_DFL);
      setrlimit(RLIMIT_FSIZE, &size);
      std::ostringstream out;
      merge_command({.paths = {folder / "a.h5"}, .out = folder / "all.h5"}, out);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    CHECK(WIFSIGNALED(status));
    CHECK(!fs::exists(folder / "all.h5"));
  }
  // What the dead left is removed by the next one.
  merge({folder / "a.h5"}, folder / "all.h5");
  CHECK(merged_runs(folder / "all.h5"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 2);
}
