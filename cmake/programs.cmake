# The command-line program and the fuzz targets.
if(EXISTS ${PROJECT_SOURCE_DIR}/src/cli/main.cc)
  add_executable(pare ${PROJECT_SOURCE_DIR}/src/cli/main.cc)
  target_link_libraries(pare PRIVATE pare_cli)
endif()

if(PARE_FUZZ)
  file(GLOB_RECURSE fuzzers CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*_fuzz.cc ${PROJECT_SOURCE_DIR}/tests/*_fuzz.cc)
  foreach(source ${fuzzers})
    get_filename_component(name ${source} NAME_WE)
    add_executable(${name} ${source})
    target_link_libraries(${name} PRIVATE pare_api)
    target_link_options(${name} PRIVATE -fsanitize=fuzzer)
  endforeach()
endif()

# The examples use the public headers alone.
file(GLOB examples CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/*.cc)
foreach(source ${examples})
  get_filename_component(name ${source} NAME_WE)
  add_executable(example_${name} ${source})
  target_link_libraries(example_${name} PRIVATE pare_api)
endforeach()
add_test(NAME example_quantize
  COMMAND example_quantize ${PROJECT_SOURCE_DIR}/examples/demo/resnet20_cifar10_fp32.onnx
    ${PROJECT_SOURCE_DIR}/examples/demo/cifar10_test_2000.bin ${PROJECT_BINARY_DIR}/example_int8.onnx)
add_test(NAME example_train
  COMMAND example_train ${PROJECT_SOURCE_DIR}/examples/demo/cifar10_test_2000.bin
    ${PROJECT_BINARY_DIR}/example_trained.onnx)
