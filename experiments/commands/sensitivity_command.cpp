#include <fmt/ostream.h>

#include <ostream>

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/files/interrupt.h"
#include "core/base/run/progress.h"
#include "core/base/run/run_file.h"
#include "experiments/commands/commands.h"
#include "experiments/config/model_dtype.h"
#include "experiments/config/plan.h"
#include "experiments/run/failure.h"
#include "experiments/run/results_folder.h"
#include "experiments/run/run_queue.h"
#include "experiments/run/runner.h"
#include "experiments/sensitivity/sensitivity.h"
#include "experiments/session/sampled_text_check.h"

namespace wkvq {

namespace {

/// The one configuration of `file`.
const PlannedRun& only_run(const SweepFile& file) {
  if (file.runs.size() != 1)
    config_error(
        "{}: {} runs; expected one for a sensitivity (take the sweep out, or give its axes one "
        "value by --set 'sweep.PATH=[VALUE]')",
        file.path.string(), file.runs.size());
  return file.runs.front();
}

/// Executes the probes into `writer`; on an error the file says so and the error goes on.
void write_probes(const SensitivityPlan& plan, Session& session, const std::string& id,
                  RunFileWriter& writer) {
  std::optional<Progress> progress;
  try {
    execute_sensitivity(plan, session, writer, [&](int64_t, int64_t total) {
      if (!progress) progress.emplace(id, total);
      progress->advance();
    });
  } catch (const std::exception& error) {
    writer.fail(failure_text(error));
    throw;
  }
  writer.finish();
}

}  // namespace

int sensitivity_command(const SweepOptions& options, std::ostream& out) {
  require_writable(options.results);
  Session session(cache_folder(options.results), options.data);
  session.show_progress(ProgressSink::standard_error());
  const SweepFile file = load_sweep(options.file, options.overrides);
  SensitivityPlan plan = read_sensitivity(only_run(file).config);
  if (!options.device.empty()) {
    plan.run.model.device = options.device;
    for (ProbeSetting& setting : plan.settings) setting.config.model.device = options.device;
  }
  DtypeResolver dtypes;
  dtypes.resolve(plan.run.model);
  for (ProbeSetting& setting : plan.settings) dtypes.resolve(setting.config.model);
  check_sampled_text(plan.run, session);
  check_sensitivity(plan, session);
  const Fingerprints fingerprints = fingerprints_of(plan.run, session);
  std::vector<std::string> identity{plan.identity_yaml(), fingerprints.model};
  identity.insert(identity.end(), fingerprints.data.begin(), fingerprints.data.end());
  const std::string id = run_id(only_run(file).slug, identity);
  const std::filesystem::path path = options.results / file.name / (id + ".h5");
  RunQueue queue({path}, {run_state(path)}, options.force,
                 [&](const std::string& line) { out << line << std::endl; });
  const Turn turn = queue.next().value();
  if (turn.kind == TurnKind::kFailedElsewhere) config_error("{}: {}", path.string(), turn.why);
  if (turn.kind != TurnKind::kOurs) {
    fmt::print(out, "done before: {}\n", path.string());
    return 0;
  }
  if (!turn.why.empty()) fmt::print(stderr, "wkvq: warning: {}; it is done again\n", turn.why);
  const InterruptHandler interrupts("wkvq: stopped; nothing of this sensitivity is kept");
  RunFileWriter writer(path, {id, file.name, plan.canonical_yaml()});
  record_fingerprints(writer, fingerprints);
  write_probes(plan, session, id, writer);
  fmt::print(out, "{} settings of every block probed: {}\n", plan.settings.size(), path.string());
  return 0;
}

}  // namespace wkvq
