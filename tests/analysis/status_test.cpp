#include "analysis/status/status_command.h"

#include <sys/wait.h>
#include <unistd.h>

#include <nlohmann/json.hpp>
#include <sstream>

#include "analysis/status/folder_status.h"
#include "core/base/files/owner.h"
#include "core/base/files/temporary_file.h"
#include "core/base/run/activity.h"
#include "core/base/run/claim.h"
#include "tests/support/run_files.h"

using namespace wkvq;
namespace fs = std::filesystem;
using Catch::Matchers::Contains;

namespace {

std::string printed(const fs::path& folder, const std::string& format = "table") {
  std::ostringstream out;
  REQUIRE(status_command(folder, format, out) == 0);
  return out.str();
}

/// A results folder with one of each.
class Results {
 public:
  Results() {
    const fs::path sweep = folder_ / "s";
    fs::create_directories(sweep);
    test::write_run(sweep, "done", test::config("rtn", 4), {});
    RunFileWriter(sweep / "failed.h5", {"failed", "s", "name: s\n"}).fail("no memory");
    test::write_file(sweep / "broken.h5", "no run file");
    fs::create_directories(sweep / "killed.h5.partial");
    Owner elsewhere = Owner::self();
    elsewhere.machine ^= 1;
    elsewhere.host = "node7";
    elsewhere.process = 4711;
    const ClaimFile far{
        .token = elsewhere.token(), .since = 1'700'000'000, .doing = "block 3/6: calibrating"};
    test::write_file(sweep / "far.h5.claim", far.text());
    test::write_file(sweep / "silent.h5.claim", far.text());
    fs::last_write_time(sweep / "silent.h5.claim", fs::file_time_type::clock::now() - 2 * kSilence);
    // A version before wrote one line.
    test::write_file(sweep / "older.h5.claim", elsewhere.token() + "\n");
    tell_activity("block 1/6: quantizing");
    ours_ = Claim::take(sweep / "ours.h5");
    tell_activity("");
  }
  const fs::path& path() const { return folder_.path(); }

 private:
  test::TemporaryFolder folder_;
  std::unique_ptr<Claim> ours_;
};

}  // namespace

TEST_CASE("status: what runs where, what failed and why, what is stale") {
  const Results results;
  const FolderStatus found = folder_status(results.path());
  REQUIRE(found.running.size() == 3);
  const ClaimStatus& far = found.running[0];
  CHECK(far.name == "far");
  CHECK(far.host == "node7");
  CHECK(far.process == 4711);
  CHECK(far.since == 1'700'000'000);
  CHECK(far.doing == "block 3/6: calibrating");
  CHECK(found.running[1].name == "older");
  CHECK(found.running[1].since == 0);
  CHECK(found.running[2].process == static_cast<uint64_t>(getpid()));
  CHECK(found.running[2].doing == "block 1/6: quantizing");
  REQUIRE(found.stale.size() == 1);
  CHECK(found.stale[0].name == "silent");
  CHECK(found.stale[0].silent >= 2 * kSilence.count());
  CHECK(found.done == std::vector<std::string>{"done"});
  CHECK(found.interrupted == std::vector<std::string>{"killed"});
  REQUIRE(found.failed.size() == 1);
  CHECK(found.failed[0].why == "no memory");
  REQUIRE(found.damaged.size() == 1);
  CHECK(found.damaged[0].name == "broken");
}

TEST_CASE("status: printed, and as JSON, and the folder stays as it was") {
  const Results results;
  const auto entries = [&] {
    return std::distance(fs::recursive_directory_iterator(results.path()), {});
  };
  const auto before = entries();
  const std::string text = printed(results.path());
  CHECK(
      text.starts_with("3 running, 1 done, 1 failed, 1 damaged, 1 interrupted, 1 stale claims\n"));
  CHECK_THAT(text, Contains("failed: no memory") && Contains("node7") && Contains("4711") &&
                       Contains("2023-11-14T22:13:20Z") && Contains("block 3/6: calibrating"));
  const auto json = nlohmann::json::parse(printed(results.path(), "json"));
  CHECK(json["running"][0]["host"] == "node7");
  CHECK(json["running"][0]["since"] == "2023-11-14T22:13:20Z");
  CHECK(json["running"][1]["since"].is_null());
  CHECK(json["stale"][0]["run"] == "silent");
  CHECK(json["failed"][0]["error"] == "no memory");
  CHECK(json["done"] == nlohmann::json::array({"done"}));
  CHECK(entries() == before);
  std::ostringstream out;
  REQUIRE_CONFIG_ERROR(status_command(results.path() / "none", "table", out), "no folder");
}

TEST_CASE("status: a run that is done again counts as running") {
  const test::TemporaryFolder folder;
  RunFileWriter(folder / "a.h5", {"a", "s", "name: s\n"}).fail("no memory");
  const auto claim = Claim::take(folder / "a.h5");
  const FolderStatus found = folder_status(folder.path());
  CHECK(found.failed.empty());
  CHECK(found.running.size() == 1);
}
