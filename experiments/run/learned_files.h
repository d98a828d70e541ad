#pragma once

#include <filesystem>
#include <string>

#include "core/calibrate/method.h"

namespace wkvq {

/// Trained parameters of one run: taken from an earlier run file where one is named, else from what
/// a killed run of the same id left beside its run file, block by block, in "<run file>.partial/".
class LearnedFiles final : public LearnedStore {
 public:
  /// `from`: a run file, or empty.
  LearnedFiles(std::filesystem::path partial, std::filesystem::path from);

  /// A damaged file of a killed run is set aside with a warning: its block is trained again.
  std::optional<LearnedParameters> load(int64_t layer) override;
  /// Where the disk does not take them, with a warning, they are not kept.
  void save(int64_t layer, const LearnedParameters& parameters) override;
  /// The run is finished: nothing to resume.
  void discard() const;

 private:
  std::filesystem::path partial_, from_;
};

/// Hash of the trained parameters in run file `path`, which enters a run's id: equal parameters
/// make equal runs, wherever they lie. ConfigError where the run is not done, is one of a model of
/// another fingerprint, lacks parameters of one of its `layers` blocks, or holds one that is not
/// finite.
std::string run_with_parameters(const std::filesystem::path& path,
                                const std::string& model_fingerprint, int64_t layers);

}  // namespace wkvq
