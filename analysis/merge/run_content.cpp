#include "analysis/merge/run_content.h"

#include "core/base/error.h"
#include "core/base/files/hash.h"
#include "core/base/hdf5/hdf5.h"

namespace wkvq {
namespace {

void add_value(Hasher& hasher, const AttributeValue& value) {
  if (const auto* text = std::get_if<std::string>(&value)) hasher.add_part(*text);
  if (const auto* whole = std::get_if<int64_t>(&value)) hasher.add(whole, sizeof *whole);
  if (const auto* real = std::get_if<double>(&value)) hasher.add(real, sizeof *real);
}

void add_column(Hasher& hasher, const Column& column) {
  std::visit(
      [&](const auto& rows) {
        if constexpr (std::is_same_v<std::decay_t<decltype(rows)>, std::vector<std::string>>)
          for (const std::string& row : rows) hasher.add_part(row);
        else
          hasher.add(rows.data(), rows.size() * sizeof rows[0]);
      },
      column);
}

void add_dataset(Hasher& hasher, const hdf5::Reader& file, const std::string& group,
                 const std::string& name) {
  hasher.add_part(name);
  try {
    add_column(hasher, file.column(group, name));
  } catch (const ConfigError&) {
    const Array array = file.array(group, name);
    for (const int64_t size : array.shape) hasher.add(&size, sizeof size);
    hasher.add(array.values.data(), array.values.size() * sizeof(double));
  }
}

void add_group(const hdf5::Reader& file, const std::string& group,
               std::map<std::string, std::string>& hashes) {
  Hasher hasher;
  const auto attributes = file.attributes(group);
  for (const auto& [name, value] : attributes) {
    hasher.add_part(name);
    add_value(hasher, value);
  }
  for (const std::string& name : file.datasets(group)) add_dataset(hasher, file, group, name);
  hashes[group] = hasher.hex();
  for (const std::string& name : file.groups(group)) add_group(file, group + "/" + name, hashes);
}

}  // namespace

std::map<std::string, std::string> run_content(const std::filesystem::path& run) {
  const hdf5::Reader file(run);
  std::map<std::string, std::string> hashes;
  for (const char* place :
       {"/config", "/evaluation", "/calibration", "/statistics", "/sensitivity"})
    if (file.has_group(place)) add_group(file, place, hashes);
  Hasher fingerprints;
  for (const char* name : {"schema", "run_id", "model_fingerprint", "data_fingerprint"})
    if (const auto value = file.attribute("/", name)) add_value(fingerprints, *value);
  hashes["fingerprints"] = fingerprints.hex();
  return hashes;
}

}  // namespace wkvq
