find_package(Threads REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(nlohmann_json REQUIRED)
find_package(CLI11 REQUIRED)
find_package(Eigen3 REQUIRED NO_MODULE)
find_package(fmt REQUIRED)
find_package(HDF5 REQUIRED COMPONENTS C)
find_package(PkgConfig REQUIRED)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(ICU REQUIRED IMPORTED_TARGET icu-uc)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)

if(NOT TARGET yaml-cpp::yaml-cpp)
  add_library(yaml-cpp::yaml-cpp ALIAS yaml-cpp)
endif()

# libtorch is linked library by library: find_package(Torch) would probe the CUDA toolchain.
if(NOT WKVQ_LIBTORCH)
  file(GLOB wheels ${CMAKE_SOURCE_DIR}/.venv/lib/python3*/site-packages/torch)
  list(GET wheels 0 WKVQ_TORCH_ROOT)
else()
  set(WKVQ_TORCH_ROOT ${WKVQ_LIBTORCH})
endif()
if(NOT EXISTS ${WKVQ_TORCH_ROOT}/include/ATen/ATen.h)
  message(FATAL_ERROR "No libtorch at '${WKVQ_TORCH_ROOT}': run scripts/bootstrap.sh, "
                      "or name one with -DWKVQ_LIBTORCH=DIR")
endif()
add_library(wkvq_torch INTERFACE)
target_include_directories(wkvq_torch SYSTEM INTERFACE
  ${WKVQ_TORCH_ROOT}/include ${WKVQ_TORCH_ROOT}/include/torch/csrc/api/include)
target_link_directories(wkvq_torch INTERFACE ${WKVQ_TORCH_ROOT}/lib)
target_link_options(wkvq_torch INTERFACE LINKER:--allow-shlib-undefined
  LINKER:-rpath,${WKVQ_TORCH_ROOT}/lib LINKER:--disable-new-dtags)
# at::parallel_for is a serial loop in a translation unit compiled without OpenMP. Linked is the
# wheel's own libgomp where it has one: two of them would be two pools of threads.
file(GLOB torch_gomp ${WKVQ_TORCH_ROOT}/lib/libgomp*.so*)
target_compile_options(wkvq_torch INTERFACE $<$<COMPILE_LANGUAGE:CXX>:-fopenmp>)
if(torch_gomp)
  target_link_libraries(wkvq_torch INTERFACE ${torch_gomp})
else()
  target_link_libraries(wkvq_torch INTERFACE gomp)
endif()
target_link_libraries(wkvq_torch INTERFACE torch_cpu c10)
if(WKVQ_WITH_CUDA)
  # --no-as-needed: the CUDA backend registers itself when its library is loaded.
  target_link_libraries(wkvq_torch INTERFACE -Wl,--no-as-needed torch_cuda c10_cuda -Wl,--as-needed
    CUDA::cudart)
  target_include_directories(wkvq_torch SYSTEM INTERFACE ${CUDAToolkit_INCLUDE_DIRS})
  target_compile_definitions(wkvq_torch INTERFACE WKVQ_WITH_CUDA=1)
endif()
