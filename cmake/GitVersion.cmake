# Run at every build: writes git_version.h, and touches it only when the commit changed.
execute_process(COMMAND git describe --always --dirty --abbrev=12 --exclude=*
  WORKING_DIRECTORY ${SOURCE_DIR} OUTPUT_VARIABLE version OUTPUT_STRIP_TRAILING_WHITESPACE ERROR_QUIET)
if(NOT version)
  set(version unknown)
endif()
file(CONFIGURE OUTPUT ${OUTPUT} CONTENT "#define WKVQ_GIT_VERSION \"${version}\"\n")
