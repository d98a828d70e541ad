#include "core/base/hdf5/hdf5_handle.h"

#include "core/base/error.h"

namespace wkvq::hdf5 {
namespace {

herr_t take_first(unsigned n, const H5E_error2_t* error, void* text) {
  if (n == 0 && error->desc) *static_cast<std::string*>(text) = error->desc;
  return 0;
}

}  // namespace

void silence_errors() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

void fail(const std::filesystem::path& file, const std::string& what) {
  std::string text = "no further message";
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, take_first, &text);
  config_error("{}: {}: {}", file.string(), what, text);
}

Handle utf8_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose);
  H5Tset_size(type, H5T_VARIABLE);
  H5Tset_cset(type, H5T_CSET_UTF8);
  return type;
}

}  // namespace wkvq::hdf5
