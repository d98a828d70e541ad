#include "experiments/commands/pack_command.h"

#include <fmt/ostream.h>

#include <ostream>

#include "core/base/error.h"
#include "core/base/files/interrupt.h"
#include "core/base/run/progress.h"
#include "core/calibrate/packed_file.h"
#include "core/device/torch_headers.h"
#include "experiments/run/quantized_model.h"
#include "experiments/run/results_folder.h"

namespace wkvq {

int pack_command(const PackOptions& options, std::ostream& report) {
  if (options.config.empty()) config_error("pack: no method; expected --config");
  if (std::filesystem::exists(options.out))
    config_error("pack: --out '{}' exists; expected a new file", options.out.string());
  const QuantizationRequest request{
      .model = options.model, .config = options.config, .storage = Storage::kPacked};
  const RunConfig config = read_request(request);
  if (!config.method->token_activation())
    config_error(
        "pack: method.activation takes calibrated ranges (scale: tensor) or another basis, which "
        "packed files do not hold; expected scale: token, or activation: {{bits: 16}}");
  const InterruptHandler interrupts("wkvq: stopped; no packed file was written");
  Session session(cache_folder(options.results));
  session.show_progress(ProgressSink::standard_error());
  const std::vector<QuantizedBlock> blocks = quantize_model(request, config, session);
  write_packed_file(options.out, blocks,
                    {.model_fingerprint = session.model(config.model).fingerprint,
                     .configuration = config.canonical_yaml()});
  fmt::print(report, "{}: {} bytes\n", options.out.string(),
             std::filesystem::file_size(options.out));
  return 0;
}

}  // namespace wkvq
