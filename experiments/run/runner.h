#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "core/base/recorder.h"
#include "experiments/config/run_config.h"
#include "experiments/score/evaluation.h"
#include "experiments/session/session.h"

namespace wkvq {

/// What the hash in a run's id stands for beside the configuration.
struct Fingerprints {
  std::string model;
  std::vector<std::string> data;  ///< of the method's own files, calibration, evaluations
};

/// Loads model and data as far as needed to know the fingerprints and to find bad input.
/// ConfigError.
Fingerprints fingerprints_of(const RunConfig& config, Session& session);

/// Root attributes model_fingerprint and data_fingerprint.
void record_fingerprints(Recorder& recorder, const Fingerprints& fingerprints);

/// The calibration text on its way through the full-precision model; null where the method needs
/// none.
std::shared_ptr<CalibrationChain> calibration_chain(const RunConfig& config, Session& session);

/// Executes one run and writes everything but the root attributes' times and status into
/// `recorder`. `told` gets the share of its work that is done (experiments/run/work.h); `learned` keeps
/// trained parameters, null: nothing does. NotFiniteError where weights, states, losses or scores
/// are not finite.
void execute_run(const RunConfig& config, Session& session, Recorder& recorder,
                 const ShareTold& told = {}, LearnedStore* learned = nullptr);

}  // namespace wkvq
