"""The two peers behind one function: a model file in, a function from a list of arrays to a list of arrays out."""


def onnxruntime_engine(path, threads, rewrites=True):
    """Without rewrites nodes are computed one by one as the file has them: what lies between Q and DQ in floats."""
    import onnxruntime as ort
    options = ort.SessionOptions()
    if not rewrites:
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = 3
    session = ort.InferenceSession(str(path), options, providers=['CPUExecutionProvider'])
    inputs = session.get_inputs()
    names = [i.name for i in inputs]
    shapes = [[d if isinstance(d, int) else None for d in i.shape] for i in inputs]
    return lambda arrays: session.run(None, dict(zip(names, arrays))), shapes, [i.type for i in inputs]


def openvino_engine(path, threads, precision='f32', shapes=None):
    """`precision`: on CPUs with bfloat16 OpenVINO computes float models in that unless told otherwise."""
    import openvino as ov
    core = ov.Core()
    model = core.read_model(str(path))
    if shapes:
        model.reshape({port: shape for port, shape in zip(model.inputs, shapes)})
    found = [[d.get_length() if d.is_static else None for d in p.get_partial_shape()] for p in model.inputs]
    kinds = [f'tensor({p.get_element_type().get_type_name()})'.replace('f32', 'float').replace('f16', 'float16').replace('i64', 'int64')
             for p in model.inputs]
    settings = {'INFERENCE_NUM_THREADS': threads, 'NUM_STREAMS': 1, 'PERFORMANCE_HINT': 'LATENCY'}
    if precision:
        settings['INFERENCE_PRECISION_HINT'] = precision
    request = core.compile_model(model, 'CPU', settings).create_infer_request()
    count = len(model.outputs)

    def run(arrays):
        request.infer(arrays, share_inputs=True)
        return [request.get_output_tensor(i).data.copy() for i in range(count)]

    return run, found, kinds


def onnxruntime_as_written(path, threads):
    return onnxruntime_engine(path, threads, rewrites=False)


ENGINES = {'ort': onnxruntime_engine, 'ort-as-written': onnxruntime_as_written, 'openvino': openvino_engine}
