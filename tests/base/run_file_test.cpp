#include "core/base/run_file.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/base/run_summary.h"
#include "tests/support/catch.h"

using namespace wkvq;
namespace fs = std::filesystem;

namespace {

const RunIdentity kIdentity{
    "rtn-w4-0123abcd", "demo",
    "name: demo\nmethod:\n  name: rtn\n  kv: {bits: 4, symmetric: false}\n"};

void write_evaluation(Recorder& recorder, const std::string& name, double value) {
  const std::string group = "/evaluation/" + name;
  recorder.attribute(group, "metric", "perplexity");
  recorder.attribute(group, "value", value);
  recorder.attribute(group, "stderr", 0.25);
  recorder.attribute(group, "n", int64_t{2});
  recorder.attribute(group, "kv_mode", "past");
  recorder.attribute(group, "convention", "windows of 4 tokens, BOS in front");
  recorder.attribute(group, "dataset", "self");
  recorder.attribute(group, "task", "perplexity");
  recorder.column(group, "nll", std::vector<float>{1.5F, 2.5F});
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.push_back(entry.path().filename().string());
  return names;
}

bool is_timestamp(const AttributeValue& value) {
  const auto& text = std::get<std::string>(value);
  return text.size() == 20 && text[10] == 'T' && text[19] == 'Z';
}

}  // namespace

TEST_CASE("run file: what was recorded is in the summary") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "sweep/run.h5";
  RunFileWriter writer(path, kIdentity);
  write_evaluation(writer, "ppl", 7.5);
  writer.attribute("/", "git", "abc");
  writer.attribute("/cost", "seconds_calibrate", 1.5);
  writer.attribute("/cost", "peak_bytes_host", int64_t{1000});
  writer.heartbeat();
  writer.finish();

  const RunSummary run = read_run(path);
  CHECK(run.path == path);
  CHECK(run.run_id == "rtn-w4-0123abcd");
  CHECK(run.sweep == "demo");
  CHECK(run.status == "done");
  CHECK(run.error.empty());
  CHECK(run.config == hdf5::NamedAttributes{{"name", "demo"},
                                            {"method.name", "rtn"},
                                            {"method.kv.bits", int64_t{4}},
                                            {"method.kv.symmetric", "false"}});
  REQUIRE(run.evaluations.size() == 1);
  CHECK(run.evaluations[0].name == "ppl");
  CHECK(run.evaluations[0].metric == "perplexity");
  CHECK(run.evaluations[0].value == 7.5);
  CHECK(run.evaluations[0].stderr_ == 0.25);
  CHECK(run.evaluations[0].n == 2);
  CHECK(run.evaluations[0].kv_mode == "past");
  CHECK(run.evaluations[0].convention == "windows of 4 tokens, BOS in front");
  CHECK(run.evaluations[0].dataset == "self");
  CHECK(run.evaluations[0].task == "perplexity");
  CHECK(run.cost ==
        hdf5::NamedAttributes{{"seconds_calibrate", 1.5}, {"peak_bytes_host", int64_t{1000}}});

  const hdf5::Reader file(path);
  for (const char* name : {"started", "finished", "heartbeat"})
    CHECK(is_timestamp(file.attribute("/", name).value()));
  CHECK(std::get<double>(file.attribute("/", "seconds").value()) >= 0);
  CHECK(file.attribute("/config", "method.kv.bits") == AttributeValue(int64_t{4}));
  CHECK(file.attribute("/config", "yaml") == AttributeValue(kIdentity.config_yaml));
}

TEST_CASE("run file: nothing final before finish, nothing temporary after") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  {
    RunFileWriter writer(path, kIdentity);
    CHECK(!fs::exists(path));
    CHECK(fs::exists(writer.temporary_path()));
    CHECK(writer.temporary_path().filename() == "run.h5." + std::to_string(getpid()) + ".tmp");
    CHECK(!is_complete(path));
    writer.finish();
    CHECK(is_complete(path));
  }
  CHECK(names_in(folder.path()) == std::vector<std::string>{"run.h5"});
}

TEST_CASE("run file: an abandoned writer removes its file and keeps an older result") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  { RunFileWriter writer(path, kIdentity); }
  CHECK(names_in(folder.path()).empty());
  RunFileWriter(path, kIdentity).finish();
  { RunFileWriter writer(path, kIdentity); }
  CHECK(is_complete(path));
  CHECK(names_in(folder.path()).size() == 1);
}

TEST_CASE("run file: a failed run is final, carries its error and is not complete") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  RunFileWriter writer(path, kIdentity);
  write_evaluation(writer, "ppl", 7.5);
  writer.fail("NaN in block 3");
  const RunSummary run = read_run(path);
  CHECK(run.status == "failed");
  CHECK(run.error == "NaN in block 3");
  CHECK(run.evaluations.size() == 1);
  CHECK(!is_complete(path));
}

TEST_CASE("run file: a killed writer leaves no result, and its file goes with the next one") {
  const test::TemporaryFolder folder;
  const fs::path path = folder / "run.h5";
  const pid_t child = fork();
  if (child == 0) {
    RunFileWriter writer(path, kIdentity);
    write_evaluation(writer, "ppl", 7.5);
    writer.heartbeat();
    kill(getpid(), SIGKILL);
  }
  REQUIRE(child > 0);
  waitpid(child, nullptr, 0);
  const std::string leftover = "run.h5." + std::to_string(child) + ".tmp";
  CHECK(names_in(folder.path()) == std::vector<std::string>{leftover});
  CHECK(!is_complete(path));
  CHECK(read_run(folder / leftover).status == "running");

  test::write_file(folder / "other.h5.999999.tmp", "another run's");
  test::write_file(folder / ("run.h5." + std::to_string(getppid()) + ".tmp"), "a living one's");
  test::write_file(folder / "run.h5.x1.tmp", "not ours");
  RunFileWriter(path, kIdentity).finish();
  CHECK(is_complete(path));
  CHECK(!fs::exists(folder / leftover));
  CHECK(names_in(folder.path()).size() == 4);
}

TEST_CASE("run file: a second writer of the same run in one process is refused") {
  const test::TemporaryFolder folder;
  RunFileWriter first(folder / "run.h5", kIdentity);
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "run.h5", kIdentity), "cannot create the file");
  first.finish();
  CHECK(is_complete(folder / "run.h5"));
}

TEST_CASE("run file: columns of one group have one length") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "run.h5", kIdentity);
  writer.column("/evaluation/ppl", "nll", std::vector<float>{1, 2, 3});
  writer.column("/evaluation/ppl", "window", std::vector<int64_t>{0, 1, 2});
  REQUIRE_CONFIG_ERROR(writer.column("/evaluation/ppl", "label", std::vector<std::string>{"a"}),
                       "column 'label' of /evaluation/ppl has 1 rows; its other columns have 3");
  writer.column("/evaluation/acc", "label", std::vector<int64_t>{0});
  writer.array("/evaluation/ppl", "matrix", {{2, 2}, {1, 2, 3, 4}});
}

TEST_CASE("run file: folders that cannot be written stop before any work") {
  const test::TemporaryFolder folder;
  test::write_file(folder / "file", "x");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "file/run.h5", kIdentity), "result folder");
  REQUIRE_CONFIG_ERROR(RunFileWriter("/proc/wkvq/run.h5", kIdentity), "/proc/wkvq: cannot be made");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder.path(), kIdentity), "is a folder");
  REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "a.h5", {"id", "sweep", "a: [1"}), "not YAML");
  if (geteuid() != 0) {
    fs::permissions(folder.path(), fs::perms::owner_read | fs::perms::owner_exec);
    REQUIRE_CONFIG_ERROR(RunFileWriter(folder / "run.h5", kIdentity), "cannot be written");
    fs::permissions(folder.path(), fs::perms::owner_all);
  }
}

TEST_CASE("run file: after finish nothing more is written") {
  const test::TemporaryFolder folder;
  RunFileWriter writer(folder / "run.h5", kIdentity);
  writer.finish();
  CHECK_THROWS(writer.attribute("/", "late", 1.0));
  CHECK(!hdf5::Reader(folder / "run.h5").attribute("/", "late"));
}
