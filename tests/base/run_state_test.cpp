#include "core/base/run/run_state.h"

#include "core/base/run/run_file.h"
#include "core/base/run/run_summary.h"
#include "tests/support/catch.h"

using namespace wkvq;

namespace {

const RunIdentity kIdentity{"id", "demo", "name: demo\n"};

}  // namespace

TEST_CASE("run state: missing, done, failed, damaged, with the reason") {
  const test::TemporaryFolder folder;
  RunFileWriter(folder / "done.h5", kIdentity).finish();
  RunFileWriter(folder / "failed.h5", kIdentity).fail("NaN in block 3");
  test::write_file(folder / "text.h5", "words");
  const auto states = run_states(
      {folder / "missing.h5", folder / "done.h5", folder / "failed.h5", folder / "text.h5"});
  REQUIRE(states.size() == 4);
  CHECK(states[0].status == RunStatus::kMissing);
  CHECK(states[0].stamp == FileStamp());
  CHECK(states[1].status == RunStatus::kDone);
  CHECK(states[1].stamp == stamp_of(folder / "done.h5"));
  CHECK(states[2].status == RunStatus::kFailed);
  CHECK(states[2].why == "NaN in block 3");
  CHECK(states[3].status == RunStatus::kDamaged);
  CHECK(states[3].why.find("text.h5") != std::string::npos);
}

TEST_CASE("run state: another version of a file has another stamp") {
  const test::TemporaryFolder folder;
  RunFileWriter(folder / "run.h5", kIdentity).finish();
  const FileStamp first = stamp_of(folder / "run.h5");
  RunFileWriter(folder / "run.h5", kIdentity).finish();
  CHECK(stamp_of(folder / "run.h5") != first);
}

TEST_CASE("run state: files that crash HDF5 or keep it for ever are damaged") {
  const auto cases = test::shared("cases/damaged_files");
  if (cases.empty()) return;
  const test::TemporaryFolder folder;
  RunFileWriter(folder / "done.h5", kIdentity).finish();
  const auto states =
      run_states({cases / "hdf5_segv.h5", folder / "done.h5", cases / "hdf5_hang.h5"});
  CHECK(states[0].status == RunStatus::kDamaged);
  CHECK(states[1].status == RunStatus::kDone);
  CHECK(states[2].status == RunStatus::kDamaged);
  CHECK(states[2].why.find("no end after") != std::string::npos);
  CHECK(!is_complete(cases / "hdf5_segv.h5"));
  REQUIRE_CONFIG_ERROR(require_harmless(cases / "hdf5_segv.h5"), "damaged");
  REQUIRE_CONFIG_ERROR(require_harmless(cases / "hdf5_hang.h5"), "no end after");
  require_harmless(folder / "done.h5");
}
