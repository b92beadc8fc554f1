target_compile_definitions(pare_cli PRIVATE PARE_VERSION="${PROJECT_VERSION}" PARE_ARCHITECTURE="${CMAKE_SYSTEM_PROCESSOR}")
# Asked at each build, written where it changed: version.cc alone reads it.
set(pare_commit ${CMAKE_BINARY_DIR}/generated/pare_commit.h)
add_custom_target(pare_commit BYPRODUCTS ${pare_commit}
  COMMAND ${CMAKE_COMMAND} -DSOURCE=${CMAKE_SOURCE_DIR} -DFILE=${pare_commit} -P ${CMAKE_SOURCE_DIR}/cmake/commit.cmake)
target_include_directories(pare_cli PRIVATE ${CMAKE_BINARY_DIR}/generated)
add_dependencies(pare_cli pare_commit)
